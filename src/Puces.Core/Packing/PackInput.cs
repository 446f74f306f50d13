using System.Globalization;

namespace Puces.Core.Packing;

/// <summary>A file of the packing experiment that is not as it should be. The message names file, line and what would be right.</summary>
public sealed class PackInputException(string message) : Exception(message);

/// <summary>Reads the pods of a trace in the common form, and the nodes to place them on.</summary>
public static class PackInput
{
    /// <summary>Pods: the columns <c>gpus</c>, <c>cpus</c>, <c>mem_gb</c> and, if there is one, <c>gpu_type</c>; others are passed over.</summary>
    /// <param name="file">The file's name, for messages.</param>
    public static IReadOnlyList<PackPod> Pods(TextReader text, string file)
    {
        var rows = new Rows(text, file, ["gpus", "cpus", "mem_gb"], ["gpu_type"]);
        var pods = new List<PackPod>();
        while (rows.Next())
        {
            var gpus = rows.Number("gpus", 4096);
            if (gpus > 1 && gpus != Math.Floor(gpus)) throw rows.Wrong("gpus", "a share below 1, or a whole number");
            var (count, milli) = gpus >= 1 ? ((int)gpus, PackPod.WholeGpu) : gpus > 0 ? (1, Math.Max(1, Thousandths(gpus, 1000))) : (0, 0);
            pods.Add(new(Thousandths(rows.Number("cpus", 1e6), 1000), Thousandths(rows.Number("mem_gb", 1e6), 1024), count, milli, rows.Text("gpu_type")));
        }
        if (!pods.Any(p => p.Gpus > 0)) throw new PackInputException($"{file}: no pod asks for a GPU; a packing experiment needs pods with gpus above 0");
        return pods;
    }

    /// <summary>Nodes: the columns <c>sn,cpu_milli,memory_mib,gpu,model</c>.</summary>
    /// <param name="file">The file's name, for messages.</param>
    public static IReadOnlyList<PackNode> Nodes(TextReader text, string file)
    {
        var rows = new Rows(text, file, ["sn", "cpu_milli", "memory_mib", "gpu", "model"], []);
        var nodes = new List<PackNode>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (rows.Next())
        {
            var name = rows.Text("sn");
            if (name.Length == 0 || !names.Add(name)) throw rows.Wrong("sn", "a name that no other node has");
            nodes.Add(new(
                name, rows.Whole("cpu_milli", int.MaxValue), rows.Whole("memory_mib", int.MaxValue), rows.Whole("gpu", PackNode.MostGpus), rows.Text("model")));
        }
        if (!nodes.Any(n => n.Gpus > 0)) throw new PackInputException($"{file}: no node has a GPU; a packing experiment needs nodes with gpu above 0");
        if (nodes.Select(n => n.Model).Distinct().Count() > 64) throw new PackInputException($"{file}: there are more than 64 models");
        return nodes;
    }

    private static int Thousandths(double value, int parts) => (int)Math.Round(value * parts);

    /// <summary>The rows of a file, read by the names of their columns.</summary>
    private sealed class Rows
    {
        private readonly TextReader _text;
        private readonly string _file;
        private readonly Dictionary<string, int> _columns = new(StringComparer.Ordinal);
        private readonly int _width;
        private string[] _row = [];
        private int _line = 1;

        public Rows(TextReader text, string file, string[] needed, string[] optional)
        {
            (_text, _file) = (text, file);
            var titles = (text.ReadLine() ?? "").TrimEnd('\r').TrimStart('\uFEFF').Split(',');
            _width = titles.Length;
            foreach (var name in needed.Concat(optional))
            {
                var at = Array.IndexOf(titles, name);
                if (at >= 0) _columns[name] = at;
                else if (needed.Contains(name)) throw new PackInputException($"{file}:1: there is no column {name}; the first line must name {string.Join(',', needed)}");
            }
        }

        public bool Next()
        {
            while (_text.ReadLine() is { } line)
            {
                _line++;
                if (line.AsSpan().Trim().Length == 0) continue;
                _row = line.TrimEnd('\r').Split(',');
                if (_row.Length == _width) return true;
                throw new PackInputException($"{_file}:{_line}: {_row.Length} fields where the first line names {_width}");
            }
            return false;
        }

        public string Text(string column) => _columns.TryGetValue(column, out var at) ? _row[at] : "";

        /// <summary>A number that is not negative; empty is zero: nothing is known of it.</summary>
        public double Number(string column, double most)
        {
            var text = Text(column);
            if (text.Length == 0) return 0;
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= 0 && value <= most
                ? value
                : throw Wrong(column, string.Create(CultureInfo.InvariantCulture, $"a number from 0 to {most:0}"));
        }

        public int Whole(string column, int most) =>
            int.TryParse(Text(column), NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value <= most
                ? value
                : throw Wrong(column, string.Create(CultureInfo.InvariantCulture, $"a whole number from 0 to {most}"));

        public PackInputException Wrong(string column, string right) => new($"{_file}:{_line}: {column} is \"{Text(column)}\"; right would be {right}");
    }
}
