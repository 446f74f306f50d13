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
  const feed = new EventSource("/api/v1/feed?after=last");
  feed.onmessage = () => { if (!due) { due = true; setTimeout(refresh, Math.max(0, 500 - (Date.now() - last))); } };
}

const log = document.getElementById("log");
if (log) {
  const lines = new EventSource(log.dataset.from);
  lines.onmessage = e => {
    const line = JSON.parse(e.data), span = document.createElement("span"), atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    span.className = line.stream;
    span.textContent = line.text + (line.isPartial ? "" : "\n");
    log.append(span);
    while (log.childNodes.length > 5000) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  // The stream ends with the job: then there is nothing to come back for.
  lines.onerror = () => lines.close();
}
