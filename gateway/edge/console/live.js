// Keeps what changes by itself up to date: asks for the same page every few seconds and takes over its live parts.
// Without it the pages are whole, too; they are then as old as the last load.
"use strict";
const parts = () => document.querySelectorAll("[data-live][id]");
const button = document.querySelector("#pause");
const status = document.querySelector("#updated");
const policy = window.trustedTypes?.createPolicy("live", { createHTML: (page) => page });
let paused = false;
let failures = 0;

function take(page) {
  const parsed = new DOMParser().parseFromString(policy ? policy.createHTML(page) : page, "text/html");
  for (const part of parts()) {
    const next = parsed.getElementById(part.id);
    // Whoever is at a link or a form in there is not to lose the place.
    if (next && next.innerHTML !== part.innerHTML && !part.contains(document.activeElement)) {
      part.replaceChildren(...[...next.childNodes].map((node) => document.importNode(node, true)));
    }
  }
}

async function refresh() {
  if (paused || document.hidden) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) return location.reload(); // the session is over
    if (!answer.ok) throw new Error(String(answer.status));
    take(await answer.text());
    failures = 0;
    status.textContent = `Updated ${new Date().toLocaleTimeString()}`;
  } catch {
    failures += 1;
    status.textContent = "The gateway does not answer; these figures are old";
  }
}

if (parts().length && button && status) {
  button.hidden = false;
  status.textContent = "Live";
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    button.setAttribute("aria-pressed", String(paused));
    status.textContent = paused ? "Paused" : "Live";
    refresh();
  });
  document.addEventListener("visibilitychange", refresh);
  setInterval(refresh, Number(document.body.dataset.every) * 1000);
}
