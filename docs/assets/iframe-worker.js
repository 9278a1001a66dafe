// Search runs in a worker, and browsers start none for a page that was opened from disk. There, a
// hidden frame is one: scripts in it hear and send messages as in a worker.
(() => {
  if (location.protocol !== "file:") return;

  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.#heard(this, data);
      this.inside.importScripts = (...urls) => Promise.all(urls.map((one) => this.#load(one)));
      this.ready = this.#load(url);
    }

    postMessage(data) {
      this.ready.then(() => this.#heard(this.inside, data));
    }

    #heard(where, data) {
      where.dispatchEvent(new MessageEvent("message", { data }));
    }

    #load(url) {
      const script = this.inside.document.createElement("script");
      script.src = url;
      this.inside.document.body.append(script);
      return new Promise((done, failed) => {
        script.onload = done;
        script.onerror = failed;
      });
    }
  };
  window.Worker = window.IFrameWorker;
})();
