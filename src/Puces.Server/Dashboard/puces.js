"use strict";
// Times in the reader's own zone.
const local = root => root.querySelectorAll("time").forEach(t => { t.textContent = new Date(t.dateTime).toLocaleString(); });
local(document);

// What changes is fetched anew when the feed says that something has happened, at most twice a second.
const live = document.getElementById("live");
if (live && live.dataset.from) {
  let due = false, last = 0;
  const refresh = async () => {
    due = false; last = Date.now();
    const reply = await fetch(live.dataset.from);
    if (reply.ok) { live.innerHTML = await reply.text(); local(live); }
  };
  const soon = () => { if (!due) { due = true; setTimeout(refresh, Math.max(0, 500 - (Date.now() - last))); } };
  const listen = () => {
    const feed = new EventSource("/api/v1/feed?after=last");
    feed.onopen = soon;
    feed.onmessage = soon;
    // A browser comes back by itself after a lost connection, and not after an answer that is no stream.
    feed.onerror = () => { if (feed.readyState === EventSource.CLOSED) setTimeout(listen, 3000); };
  };
  listen();
}

const log = document.getElementById("log");
if (log) {
  // Colours and the like are taken out; of a line that was written over, the last is shown.
  const plain = text => text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r+$/, "").replace(/^.*\r/s, "");
  let after = null, news = false;
  const show = line => {
    const span = document.createElement("span"), atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    span.className = line.stream;
    span.textContent = plain(line.text) + (line.isPartial ? "" : "\n");
    log.append(span);
    while (log.childNodes.length > 5000) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  const follow = () => {
    const lines = new EventSource(log.dataset.from + (after === null ? "" : "&after=" + encodeURIComponent(after)));
    news = false;
    lines.onmessage = e => {
      const line = JSON.parse(e.data);
      news = true; after = line.cursor;
      show(line);
    };
    // The stream ends with the job, and when the server goes: it is asked which it was, and the log goes on after the last line seen.
    lines.onerror = async () => {
      lines.close();
      const had = news;
      const reply = await fetch(log.dataset.job).catch(() => null);
      const state = reply && reply.ok ? (await reply.json()).job.state : null;
      if (!had && ["succeeded", "failed", "cancelled"].includes(state)) return;
      setTimeout(follow, had ? 300 : 3000);
    };
  };
  follow();
}
