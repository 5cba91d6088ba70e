// Keeps the focus in an open dialog and returns it to the control that opened it.
document.addEventListener("alpine:init", () => {
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea";

  Alpine.data("tickhookDialog", () => ({
    opener: document.activeElement,

    init() {
      this.$watch("openModal", (isOpen) => {
        if (isOpen) this.enter();
        else this.opener.focus();
      });
      if (this.openModal) this.enter();
    },

    controls() {
      return [...this.$root.querySelectorAll(CONTROLS)].filter(
        (control) => !control.disabled && control.getClientRects().length,
      );
    },

    // Alpine shows the dialog some frames after it has opened.
    enter() {
      if (!this.openModal) return;
      const [close, first] = this.controls();
      if (close) (first ?? close).focus();
      else requestAnimationFrame(() => this.enter());
    },

    keep(event) {
      const controls = this.controls();
      const [from, to] = event.shiftKey
        ? [controls.at(0), controls.at(-1)]
        : [controls.at(-1), controls.at(0)];
      if (document.activeElement !== from) return;
      event.preventDefault();
      to.focus();
    },
  }));
});
