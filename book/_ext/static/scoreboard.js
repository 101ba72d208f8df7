// The scoreboard's filter: by words, chapter and relation. Without scripts everything is shown.
(function () {
  "use strict";
  const form = document.querySelector(".claim-filter");
  if (!form) return;
  const groups = [...document.querySelectorAll(".claim-group")].map((group) => ({
    group,
    rows: [...group.querySelectorAll(".claim-row")].map((row) => ({
      row,
      words: `${group.querySelector(".claim-lecture").textContent} ${row.textContent}`.toLowerCase(),
      relation: row.querySelector(".claim-relation")?.textContent ?? "moves",
      chapter: group.querySelector(".claim-chapter")?.textContent,
    })),
  }));
  const { words, chapter, relation } = form.elements;
  const chapters = groups.flatMap(({ rows }) => rows.map((row) => row.chapter));
  for (const name of new Set(chapters)) chapter.add(new Option(name, name));
  const status = form.querySelector("output");

  function filter() {
    const asked = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    let all = 0;
    for (const { group, rows } of groups) {
      let here = 0;
      for (const row of rows) {
        const fits =
          asked.every((word) => row.words.includes(word)) &&
          (!chapter.value || chapter.value === row.chapter) &&
          (!relation.value || relation.value === row.relation);
        row.row.hidden = !fits;
        here += fits;
      }
      group.hidden = !here;
      left += here;
      all += rows.length;
    }
    status.value = left === all ? `all ${all} are shown` : `${left} of ${all} are shown`;
  }

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(); // the browser may have kept what was asked
})();
