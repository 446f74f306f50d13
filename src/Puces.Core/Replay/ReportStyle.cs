namespace Puces.Core.Replay;

/// <summary>The report's style. The colours are told apart by colour-blind people too (Okabe and Ito); from the fifth on lines are dashed.</summary>
internal static class ReportStyle
{
    public const int Colours = 10;

    public const string Css = """
        :root { color-scheme: light dark; --ground: #fff; --ink: #1c1c1e; --soft: #5f6368; --rule: #e3e3e6; --level: #9a9aa0;
          --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b4498a; --c4: #b98600; --bad: #b3261e; }
        @media (prefers-color-scheme: dark) { :root { --ground: #17181a; --ink: #e8e8ea; --soft: #a2a5ab; --rule: #303236; --level: #74777d;
          --c0: #56b4e9; --c1: #ff8a4c; --c2: #3ecf9f; --c3: #e79cc8; --c4: #f0c24b; --bad: #ff8a80; } }
        @media print { :root { color-scheme: light; --ground: #fff; --ink: #000; --soft: #444; --rule: #ddd; --level: #888;
          --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b4498a; --c4: #b98600; --bad: #b3261e; } }
        body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        main { max-width: 980px; margin: 0 auto; padding: 28px 20px 48px; }
        h1 { font-size: 24px; margin: 0 0 6px; overflow-wrap: anywhere; } h2 { font-size: 17px; margin: 34px 0 2px; }
        p { margin: 0 0 10px; color: var(--soft); max-width: 46em; } figure { margin: 0; }
        .wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; white-space: nowrap; margin-top: 10px; }
        th, td { padding: 4px 9px; text-align: right; border-bottom: 1px solid var(--rule); } tbody th, thead tr:first-child th:first-child { text-align: left; font-weight: 600; }
        thead th { font-weight: 500; color: var(--soft); vertical-align: bottom; } thead th[colspan] { text-align: center; } abbr { text-decoration: underline dotted; cursor: help; }
        td.bar { width: 140px; } td.bar svg { width: 140px; height: 8px; display: block; } td.bar rect { fill: var(--soft); } td.worse { color: var(--bad); font-weight: 600; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0 0; padding: 0; font-size: 13.5px; } .legend svg { width: 28px; height: 10px; margin-right: 6px; }
        figure > svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 11px; } svg .label { fill: var(--ink); } svg path { fill: none; }
        .grid { stroke: var(--rule); } .axis, .tick { stroke: var(--soft); } .level { stroke: var(--level); stroke-dasharray: 2 3; } .line { stroke-width: 1.8; stroke-linejoin: round; } .dot { stroke: var(--ground); stroke-width: 1; }
        .p0, .p5 { stroke: var(--c0); } .p1, .p6 { stroke: var(--c1); } .p2, .p7 { stroke: var(--c2); } .p3, .p8 { stroke: var(--c3); } .p4, .p9 { stroke: var(--c4); }
        .p5, .p6, .p7, .p8, .p9 { stroke-dasharray: 6 4; }
        circle.p0, circle.p5 { fill: var(--c0); } circle.p1, circle.p6 { fill: var(--c1); } circle.p2, circle.p7 { fill: var(--c2); } circle.p3, circle.p8 { fill: var(--c3); } circle.p4, circle.p9 { fill: var(--c4); }
        circle { stroke-dasharray: none !important; }
        @media print { body { font-size: 12px; } main { max-width: none; padding: 0; } figure, tr, section { break-inside: avoid; } h2 { margin-top: 18px; font-size: 14px; } p { margin-bottom: 4px; }
          .wide { overflow: visible; } table { font-size: 9px; } th, td { padding: 3px 4px; } td.bar, td.bar svg { width: 70px; } figure > svg { width: 86%; margin: 0 auto; } .legend { font-size: 11px; } }

        """;
}
