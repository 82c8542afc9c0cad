// Passkeys: makes one, signs in with one, signs a review with one. Everything else works without this.
// Forms say what they are for; what the browser gives goes into their fields, and they are sent as always.
// Events are caught at the document, so that forms may come and go.
"use strict";
(() => {
  const encode = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const decode = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));

  const asked = async (url, form) => {
    const answer = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form ? new URLSearchParams(form) : undefined,
      headers: { accept: "application/json" },
      redirect: "error",
    });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const faults = (said.errors || []).map((fault) => fault.problem).join("; ");
      throw new Error(faults || said.detail || "the server gave no answer; try again");
    }
    return said;
  };

  const put = (form, fields) => {
    for (const [name, value] of Object.entries(fields)) {
      let field = form.querySelector(`input[type="hidden"][name="${name}"]`);
      if (!field) {
        field = document.createElement("input");
        field.type = "hidden";
        field.name = name;
        form.append(field);
      }
      field.value = value;
    }
  };

  const ceremonies = {
    async enrol(form) {
      const begun = await asked(form.dataset.begin, { csrf: form.elements.csrf.value });
      const made = await navigator.credentials.create({ publicKey: {
        rp: { id: begun.rp_id, name: "Assent" },
        user: { id: decode(begun.user_id), name: begun.user_name, displayName: begun.user_name },
        challenge: decode(begun.challenge),
        pubKeyCredParams: begun.algorithms.map((alg) => ({ type: "public-key", alg })),
        excludeCredentials: begun.known.map((id) => ({ type: "public-key", id: decode(id) })),
        authenticatorSelection: {
          residentKey: "required", requireResidentKey: true, userVerification: "required",
        },
        attestation: "none",
        timeout: 300000,
      } });
      put(form, {
        sealed: begun.sealed,
        attestation: encode(made.response.attestationObject),
        client_data: encode(made.response.clientDataJSON),
      });
    },

    async "sign-in"(form) {
      const begun = await asked(form.dataset.begin, {});
      const used = await use(begun.rp_id, begun.challenge, []);
      put(form, { ...used, sealed: begun.sealed });
    },

    async sign(form, button) {
      const part = form.querySelector("[data-passkey-sign]");
      const comment = form.elements.comment;
      // What is signed is what is sent, to the letter.
      comment.value = comment.value.trim();
      const words = new TextEncoder().encode(comment.value);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", words));
      const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      const chosen = form.elements.passkey;
      const wanted = new URLSearchParams({
        verdict: button.value, reason_digest: `sha256:${hex}`, passkey: chosen ? chosen.value : "",
      });
      const given = await asked(`${part.dataset.statement}?${wanted}`);
      const used = await use(given.rp_id, given.challenge, [given.credential_id]);
      put(form, { ...used, statement: given.statement, verdict: button.value });
      form.action = part.dataset.action;
    },
  };

  const use = async (rpId, challenge, ids) => {
    const used = await navigator.credentials.get({ publicKey: {
      rpId,
      challenge: decode(challenge),
      allowCredentials: ids.map((id) => ({ type: "public-key", id: decode(id) })),
      userVerification: "required",
      timeout: 300000,
    } });
    return {
      credential_id: encode(used.rawId),
      authenticator_data: encode(used.response.authenticatorData),
      client_data: encode(used.response.clientDataJSON),
      signature: encode(used.response.signature),
    };
  };

  const purpose = (form) =>
    form.dataset.passkey || (form.querySelector("[data-passkey-sign]") ? "sign" : null);

  const tell = (form, text) => {
    const place = form.querySelector("[data-passkey-fault]");
    if (!place) return;
    place.textContent = text;
    place.hidden = text === "";
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const ceremony = ceremonies[purpose(form)];
    if (!ceremony) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    tell(form, "");
    try {
      await ceremony(form, event.submitter);
      form.submit();
    } catch (fault) {
      delete form.dataset.busy;
      const refused = fault.name === "NotAllowedError";
      tell(form, refused ? "The passkey was not used. Nothing was sent." : `Nothing was sent: ${fault.message}`);
    }
  });

  const reveal = () => {
    if (!window.PublicKeyCredential) return;
    for (const part of document.querySelectorAll("[data-passkey-hidden]")) part.hidden = false;
  };
  document.addEventListener("DOMContentLoaded", reveal);
  // Whoever comes back to a page that was kept decides anew.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-busy]")) delete form.dataset.busy;
  });
})();
