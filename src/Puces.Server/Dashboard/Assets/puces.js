"use strict";

const words = (seconds) =>
  seconds < 60 ? `${Math.floor(seconds)} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min`
  : seconds < 86400 ? `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min` : `${Math.floor(seconds / 86400)} d`;

function showTimes() {
  for (const time of document.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    time.title = at.toLocaleString();
    time.textContent = `${words(Math.max(0, (Date.now() - at) / 1000))} ago`;
  }
}

const live = document.getElementById("live");
const main = document.getElementById("main");
if (main) {
  // Whatever happens, the page is fetched at most twice a second, and once more after the last news.
  let isBusy = false, isStale = false;
  const refresh = async () => {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    while (isStale) {
      isStale = false;
      try {
        const reply = await fetch(main.dataset.fragment);
        if (reply.status === 401) return location.reload();
        if (reply.ok) { main.innerHTML = await reply.text(); showTimes(); }
      } catch { /* The feed says when the server is there again. */ }
      await new Promise((done) => setTimeout(done, 500));
    }
    isBusy = false;
  };
  const open = () => {
    const feed = new EventSource(main.dataset.feed);
    feed.onopen = () => { live.textContent = "live"; refresh(); };
    feed.onmessage = refresh;
    feed.onerror = () => {
      live.textContent = "not connected";
      if (feed.readyState === EventSource.CLOSED) setTimeout(open, 3000);
    };
  };
  open();
}

const log = document.getElementById("log");
if (log) {
  const job = `/api/v1/jobs/${log.dataset.job}`;
  const unfinished = new Map();
  let after = null;
  const clean = (text) => text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r+$/, "").replace(/^.*\r/s, "");
  const show = (line) => {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const from = `${line.attempt}.${line.rank}.${line.stream}`;
    let place = unfinished.get(from);
    if (!place) {
      place = document.createElement("div");
      place.className = line.stream;
      place.title = new Date(line.at).toLocaleString();
      place.raw = "";
      log.append(place);
    }
    place.raw += line.text;
    place.textContent = (line.rank > 0 ? `[${line.rank}] ` : "") + clean(place.raw) || " ";
    if (line.isPartial) unfinished.set(from, place); else unfinished.delete(from);
    while (log.childElementCount > 5000) log.firstChild.remove();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  };
  const follow = () => {
    let hasNews = false;
    const lines = new EventSource(`${job}/logs?follow=true${after ? `&after=${encodeURIComponent(after)}` : ""}`);
    live.textContent = "live";
    lines.onmessage = (event) => {
      const line = JSON.parse(event.data);
      hasNews = true;
      after = line.cursor;
      show(line);
    };
    lines.onerror = async () => {
      // The stream ends when the job is over; else we go on after the last line that we have.
      lines.close();
      live.textContent = "not connected";
      try {
        const reply = await fetch(job);
        const state = reply.ok ? (await reply.json()).job.state : null;
        if (!hasNews && ["succeeded", "failed", "cancelled"].includes(state)) { live.textContent = state; return; }
      } catch { /* Try again. */ }
      setTimeout(follow, hasNews ? 300 : 3000);
    };
  };
  follow();
}

showTimes();
setInterval(showTimes, 1000);
