// Shows times in the zone and language of the person who looks at the page.
//
// The server writes <time datetime="2026-11-30T06:01:45Z" data-t="ago">… UTC</time>:
// ago (how long ago within a day, else date and time), clock (the time of day), short
// (date and time without seconds) or full. The tooltip keeps the UTC text. A time in the
// heading also stands in the title of the page.
(() => {
  const DAY = 86400;
  const UNITS = [["hour", 3600], ["minute", 60], ["second", 1]];
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const relative = new Intl.RelativeTimeFormat(undefined, { style: "short" });
  const date = { year: "numeric", month: "short", day: "numeric" };
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const full = new Intl.DateTimeFormat(undefined, { ...date, ...clock });
  const short = new Intl.DateTimeFormat(undefined, {
    ...date, hour: "2-digit", minute: "2-digit",
  });
  const timeOfDay = new Intl.DateTimeFormat(undefined, clock);

  const ago = (at) => {
    const seconds = Math.round((at - Date.now()) / 1000);
    if (Math.abs(seconds) >= DAY) return short.format(at);
    const [unit, length] =
      UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
    return relative.format(Math.trunc(seconds / length), unit);
  };
  const texts = {
    ago,
    clock: (at) => timeOfDay.format(at),
    short: (at) => short.format(at),
    full: (at) => full.format(at),
  };

  const show = (element) => {
    const at = new Date(element.dateTime);
    const text = texts[element.dataset.t];
    if (!text || Number.isNaN(at.getTime())) return;
    if (!element.title) {
      const utc = element.textContent.trim();
      element.title = zone === "UTC" ? utc : `${utc} · ${full.format(at)} ${zone}`;
    }
    const shown = text(at);
    if (element.closest("h1")) {
      document.title = document.title.replace(element.textContent.trim(), shown);
    }
    element.textContent = shown;
  };

  const showAll = () => document.querySelectorAll("time[data-t]").forEach(show);
  const showNew = () => document.querySelectorAll("time[data-t]:not([title])").forEach(show);
  const refresh = () => document.querySelectorAll('time[data-t="ago"]').forEach(show);

  document.addEventListener("DOMContentLoaded", showAll);
  document.addEventListener("htmx:afterSettle", showNew);
  document.addEventListener("tickhook:swapped", showNew);
  setInterval(() => document.hidden || refresh(), 30000);
})();
