"use strict";
// The page is whole without this. It shows one visit's map at a time, and lights up what is of the same lesion.
(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  document.body.classList.add("js");
  const maps = all(".map .drawing"), slider = document.querySelector(".slider input");
  const show = (at) => {
    maps.forEach((map, n) => map.classList.toggle("shown", n === at));
    if (!slider) return;
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", maps[at].dataset.title);
    document.querySelector(".slider output").textContent = maps[at].dataset.title;
  };
  if (slider) slider.addEventListener("input", () => show(Number(slider.value)));
  if (maps.length) show(maps.length - 1);

  const tracks = (thing) => (thing.dataset.track || "").split(" ").filter(Boolean);
  const linked = all("[data-track]");
  const same = (thing) => linked.filter((other) => tracks(other).some((track) => tracks(thing).includes(track)));
  const light = (thing) => {
    linked.forEach((other) => other.classList.remove("lit"));
    if (thing) same(thing).forEach((other) => other.classList.add("lit"));
  };
  const home = (thing) => thing.closest("section");
  // From a picture or a mark to the lesion's row, from a row to its mark on the map.
  const go = (thing) => {
    const others = same(thing).filter((other) => home(other) !== home(thing));
    const wanted = thing.matches("tr") ? "g" : "tr";
    const there = others.find((other) => other.matches(wanted) && !hidden(other)) || others.find((x) => x.matches(wanted));
    if (!there) return;
    const map = there.closest(".map .drawing");
    if (map) show(maps.indexOf(map));
    light(thing);
    there.scrollIntoView({ block: "center", behavior: "auto" });
    const focus = there.matches("tr") ? there.querySelector("button") : there;
    if (focus) focus.focus({ preventScroll: true });
  };
  const hidden = (thing) => thing.closest(".map .drawing:not(.shown)") !== null;
  linked.forEach((thing) => {
    thing.addEventListener("mouseenter", () => light(thing));
    thing.addEventListener("focusin", () => light(thing));
    thing.addEventListener("click", () => go(thing));
    thing.addEventListener("keydown", (event) => {
      if (event.target === thing && (event.key === "Enter" || event.key === " ")) {
        event.preventDefault();
        go(thing);
      }
    });
  });
})();
