// Sorting and filtering of the recordings.
(() => {
  const table = document.querySelector(".recordings"), form = document.querySelector(".controls");
  if (!table || !form) {
    return;
  }
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const words = new Map(rows.map((row) => [row, `${row.textContent} ${row.dataset.kinds}`.toLowerCase()]));

  const filter = () => {
    const asked = new FormData(form);
    const wanted = asked.get("words").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = wanted.every((word) => words.get(row).includes(word))
        && (!asked.get("verdict") || row.dataset.verdict === asked.get("verdict"))
        && (!asked.get("kind") || row.dataset.kinds.split(" ").includes(asked.get("kind")))
        && (!asked.get("twin") || row.dataset.twin === "1");
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
  };
  const sort = (column, isDown) => {
    const isNumber = heads[column].dataset.kind !== "text";
    const value = (row) => row.cells[column].dataset.v ?? "";
    const compare = isNumber
      ? (a, b) => Number(value(a)) - Number(value(b))
      : (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    const sorted = [...rows].sort((a, b) => (isDown ? -1 : 1) * compare(a, b));
    body.append(...sorted);
    heads.forEach((head, i) => {
      if (i === column) {
        head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      } else {
        head.removeAttribute("aria-sort");
      }
    });
  };
  heads.forEach((head, column) => {
    if (!head.dataset.kind) {
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => sort(column, head.getAttribute("aria-sort") === "ascending"));
  });
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
