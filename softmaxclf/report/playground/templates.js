// The templates of the classes: the weights of each as an image. One that is chosen shows its evidence.

const tiles = [...document.querySelectorAll("#templates button")].map((button, k) => {
  button.addEventListener("click", () => {
    choose(k);
    byId("evidence").scrollIntoView({ block: "nearest" });
  });
  return button;
});
const drawTemplates = () => {
  const draw = byId("view").value === "signed" ? drawSignedTemplate : drawTemplate;
  tiles.forEach((button, k) => draw(button.querySelector("canvas"), k));
};
const showTemplates = () =>
  tiles.forEach((button, k) => button.setAttribute("aria-pressed", String(k === chosen())));

byId("view").addEventListener("change", drawTemplates);
drawTemplates();
drawRow(byId("mean"), model.center);
views.push(showTemplates);
