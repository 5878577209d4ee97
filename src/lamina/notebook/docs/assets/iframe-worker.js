// Browsers start no workers on pages that are opened as files: there the search, which the theme
// runs in a worker, runs in a hidden frame.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      const source = new URL(url, document.baseURI).href.replaceAll('"', "%22");
      frame.hidden = true;
      frame.worker = this;
      frame.srcdoc =
        "<script>postMessage = (data) => frameElement.worker.receive(data)</" + "script>" +
        `<script src="${source}"></` + "script>";
      this.ready = new Promise((resolve) => frame.addEventListener("load", () => resolve(frame.contentWindow)));
      document.documentElement.append(frame);
    }

    postMessage(data) {
      this.ready.then((window) => window.dispatchEvent(new MessageEvent("message", { data })));
    }

    receive(data) {
      setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })));
    }
  };
  window.Worker = window.IFrameWorker;
}
