/* Only what style cannot do: search by text, the number of findings shown, and opening the part that a link leads to.
 * The page is complete without it. */
"use strict";
(function () {
  const work = document.querySelector(".work"), search = document.getElementById("search"), hits = document.getElementById("hits");
  if (!work || !search) return;
  const parts = Array.from(work.querySelectorAll(".part"));
  let texts = null, timer = 0;
  search.parentElement.hidden = false;
  function count() {
    const chosen = Array.from(work.querySelectorAll("input:checked")).map((i) => [i.name, i.id.split("-").pop()]).filter((c) => c[1] !== "all");
    const rows = ".f" + chosen.map((c) => "." + { severity: "s", class: "c", target: "t" }[c[0]] + c[1]).join("");
    const open = parts.filter((p) => !p.hidden);
    const n = open.reduce((sum, p) => sum + p.querySelectorAll(rows).length, 0);
    hits.textContent = n + (n === 1 ? " finding" : " findings");
  }
  function find() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !texts) texts = parts.map((p) => p.textContent.toLowerCase());
    parts.forEach((p, i) => { p.hidden = words.length > 0 && !words.every((w) => texts[i].includes(w)); });
    count();
  }
  function follow() {
    const part = location.hash.startsWith("#rule-") && document.getElementById(location.hash.slice(1));
    if (!part) return;
    part.hidden = false;
    part.querySelector("details").open = true;
    part.scrollIntoView();
  }
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(find, 120); });
  work.addEventListener("change", count);
  addEventListener("hashchange", follow);
  count();
  follow();
})();
