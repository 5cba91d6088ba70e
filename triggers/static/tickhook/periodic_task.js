// Shows the chosen crontab in words below its field.
document.addEventListener("DOMContentLoaded", () => {
  const words = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const crontab = document.getElementById("id_crontab");
  const field = document.querySelector(".field-crontab_translation");
  if (field) field.hidden = true;
  if (!crontab) return;
  const shown = document.createElement("div");
  crontab.closest(".field-crontab, .form-row, div").append(shown);
  const show = () => {
    const chosen = words[crontab.value];
    shown.textContent = chosen ? `Translation: ${chosen}` : "";
  };
  window.django.jQuery(crontab).on("change", show);
  show();
});
