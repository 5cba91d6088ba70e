// Shows what has arrived since, unless the page is hidden or a person marks text in it.
setInterval(async () => {
  if (document.hidden || getSelection().toString()) return;
  const page = await fetch(location.href);
  if (!page.ok) return;
  const found = new DOMParser().parseFromString(await page.text(), "text/html");
  document.getElementById("requests").replaceWith(found.getElementById("requests"));
  document.dispatchEvent(new Event("tickhook:swapped"));
}, 2000);
