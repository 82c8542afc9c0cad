// Keeps a page true while somebody looks at it, and gives the inbox its keys. Without it everything on
// the page works; nothing here decides anything or knows anything that the page does not.
'use strict';

(() => {
  const body = document.body;
  if (!body.dataset.after) return;

  let after = Number(body.dataset.after);
  // The server's clock is the one that decides: what is left is counted by it.
  const ahead = Number(body.dataset.now) - Date.now();
  const shows = document.querySelector('[data-shows]')?.dataset.shows;
  const address = shows ? `/requests/${shows}` : location.pathname + location.search;

  // What is left, in the words of the server (`server/src/when.rs`).

  const span = (milliseconds) => {
    const minutes = Math.floor(milliseconds / 60000);
    const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
    const both = (large, small, unit) => (small ? `${large} ${small} ${unit}` : large);
    if (days) return both(`${days} d`, hours, 'h');
    if (hours) return both(`${hours} h`, rest, 'min');
    return rest ? `${rest} min` : 'less than a minute';
  };

  const tick = () => {
    const now = Date.now() + ahead;
    for (const time of document.querySelectorAll('time[data-until]')) {
      const left = Date.parse(time.dataset.until) - now;
      const text = left > 0 ? `${span(left)} left` : 'time is up';
      if (time.textContent === text) continue;
      time.textContent = text;
      time.classList.toggle('soon', left < 15 * 60000);
      if (left <= 0) refresh();
    }
  };
  setInterval(tick, 5000);

  // What is new on the page takes the place of what was there. Elements stay where they can: the focus,
  // the place in the page, what is unfolded and what somebody is typing are theirs.

  const typed = (element) =>
    [...element.querySelectorAll('textarea')].some((area) => area.value.trim() !== '');

  const keep = (node) =>
    node.nodeType === Node.ELEMENT_NODE && (node.hasAttribute('data-keep') || node.querySelector('[data-keep]') || typed(node));

  const tooLate = (section) => {
    for (const button of section.querySelectorAll('button')) button.disabled = true;
    if (section.querySelector('.late')) return;
    const note = document.createElement('p');
    note.className = 'warning late';
    note.textContent = 'It was decided meanwhile. What you wrote stays here until you leave the page.';
    section.prepend(note);
  };

  const fits = (old, fresh) =>
    old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || '') === (fresh.id || '');

  const attributes = (old, fresh) => {
    const own = (name) =>
      (old.nodeName === 'DETAILS' && name === 'open') ||
      (/^(INPUT|SELECT|OPTION|DIALOG)$/.test(old.nodeName) && /^(value|checked|selected|open)$/.test(name)) ||
      name === 'hidden' && old.hasAttribute('data-keep');
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !own(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value && !own(name)) old.setAttribute(name, value);
    }
  };

  const renew = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    attributes(old, fresh);
    if (/^(TEXTAREA|SELECT|DIALOG)$/.test(old.nodeName)) return;
    children(old, fresh);
  };

  const children = (old, fresh) => {
    const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
    for (const child of [...old.childNodes]) {
      if (!child.id || wanted.has(child.id)) continue;
      if (!keep(child)) child.remove();
      else if (child.id === 'decide') tooLate(child);
    }
    let place = old.firstChild;
    const skip = () => {
      while (place && place.id && !wanted.has(place.id)) place = place.nextSibling;
    };
    for (const child of [...fresh.childNodes]) {
      skip();
      const known = child.id ? [...old.children].find((one) => one.id === child.id) : null;
      if (known && known !== place) old.insertBefore(known, place);
      if (known || (place && fits(place, child))) {
        const same = known || place;
        if (same === place) place = place.nextSibling;
        renew(same, child);
      } else {
        old.insertBefore(document.importNode(child, true), place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      if (!keep(place)) place.remove();
      place = next;
    }
  };

  // In a few words for those who hear the page: what has come, gone or changed.

  const rows = () => new Map([...document.querySelectorAll('.row')].map((row) => {
    const part = row.closest('.part')?.id;
    return [row.id, `${part} ${row.querySelector('.standing')?.textContent.replace(/[\d\s]*(d|h|min|less than a minute|left)/g, '')}`];
  }));

  const waiting = () => document.querySelectorAll('#part-waiting .row').length;

  const say = (text) => {
    const said = document.getElementById('said');
    if (text && said.textContent !== text) said.textContent = text;
  };

  const told = (before) => {
    const standing = document.querySelector('[data-standing]')?.textContent;
    if (standing !== before.standing) return standing;
    const now = rows();
    const came = [...now.keys()].filter((id) => !before.rows.has(id)).length;
    const gone = [...before.rows.keys()].filter((id) => !now.has(id)).length;
    const changed = [...now].filter(([id, text]) => before.rows.has(id) && before.rows.get(id) !== text).length;
    const parts = [[came, 'new'], [changed, 'changed'], [gone, 'gone']].filter(([count]) => count);
    if (!parts.length) return '';
    return `Requests: ${parts.map(([count, what]) => `${count} ${what}`).join(', ')}. ${waiting()} wait for you.`;
  };

  const note = (text, link) => {
    let bar = document.getElementById('live-note');
    if (!text) return void bar?.remove();
    if (!bar) {
      bar = document.createElement('p');
      bar.id = 'live-note';
      bar.className = 'warning';
      bar.setAttribute('role', 'status');
      bar.setAttribute('data-keep', '');
      document.getElementById('main').prepend(bar);
    }
    bar.textContent = text;
    if (link) {
      const to = document.createElement('a');
      to.href = link;
      to.textContent = 'Sign in';
      bar.append(' ', to);
    }
  };

  const put = (text) => {
    const fresh = new DOMParser().parseFromString(text, 'text/html');
    const main = fresh.getElementById('main');
    if (!main || !fresh.body.dataset.after) return;
    const before = { rows: rows(), standing: document.querySelector('[data-standing]')?.textContent };
    const focused = document.activeElement?.id;
    const neighbours = [...document.querySelectorAll('a.to')].map((row) => row.id);
    children(document.getElementById('main'), main);
    document.title = fresh.title;
    tick();
    if (focused && document.activeElement === body) {
      const at = neighbours.indexOf(focused);
      const next = [focused, ...neighbours.slice(at + 1), ...neighbours.slice(0, Math.max(at, 0)).reverse()];
      const left = at < 0 ? document.getElementById(focused) : next.map((id) => document.getElementById(id)).find(Boolean);
      (left || document.getElementById('main')).focus({ preventScroll: true });
    }
    say(told(before));
  };

  // One look at a time, and not more than one in a second and a half, however much is written.

  let looking = false;
  let again = false;
  let last = 0;
  let timer = 0;

  const look = async () => {
    timer = 0;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    last = Date.now();
    try {
      const answer = await fetch(address, { redirect: 'manual', headers: { 'x-assent-live': '1' } });
      if (answer.type === 'opaqueredirect') signedOut();
      else if (answer.ok) put(await answer.text());
    } catch {
      note('This page is not kept up to date: the server cannot be reached.');
    }
    looking = false;
    if (again) {
      again = false;
      refresh();
    }
  };

  const refresh = () => {
    if (timer || ended) return;
    timer = setTimeout(look, Math.max(100, last + 1500 - Date.now()));
  };

  let ended = false;
  const signedOut = () => {
    ended = true;
    close();
    note('You are signed out: this page is not kept up to date any more.', '/login');
    for (const button of document.querySelectorAll('.decide button')) button.disabled = true;
  };

  // What is written is told as it is written. A page that nobody looks at does not listen: a browser has
  // few connections to one server.

  let stream = null;
  let lost = 0;

  const close = () => {
    stream?.close();
    stream = null;
  };

  const open = () => {
    if (stream || ended || document.hidden) return;
    stream = new EventSource(`/v1/events?brief=true&after=${after}`);
    const hear = (event) => {
      after = Number(event.lastEventId) || after;
      const { request } = JSON.parse(event.data);
      if (!shows || !request || request === shows) refresh();
    };
    stream.onmessage = hear;
    stream.addEventListener('everything', hear);
    stream.onopen = () => {
      clearTimeout(lost);
      note('');
    };
    stream.onerror = () => {
      clearTimeout(lost);
      const over = stream?.readyState === EventSource.CLOSED;
      if (over) close();
      // Whoever is signed out finds that out by looking; others wait until it can be reached again.
      lost = setTimeout(() => {
        refresh();
        open();
      }, over ? 1000 : 8000);
    };
  };

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => event.persisted && (open(), refresh()));
  open();
  tick();

  // Keys, in the inbox alone, and only as long as somebody wants them.

  const links = () => [...document.querySelectorAll('a.to')];
  const dialog = () => document.getElementById('keys');
  const stored = (set) => {
    try {
      if (set !== undefined) localStorage.setItem('assent.keys', set);
      return localStorage.getItem('assent.keys') !== 'off';
    } catch {
      return true;
    }
  };
  if (!dialog()) return;
  document.getElementById('keys-hint').hidden = false;
  document.getElementById('keys-on').checked = stored();

  document.addEventListener('click', (event) => {
    if (event.target.closest('[data-keys="open"]')) dialog().showModal();
  });
  document.addEventListener('change', (event) => {
    if (event.target.id === 'keys-on') stored(event.target.checked ? 'on' : 'off');
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (dialog().open || event.target.closest('input, textarea, select, [contenteditable]') || !stored()) return;
    const all = links();
    const at = all.indexOf(document.activeElement);
    if (event.key === 'j') all[Math.min(at + 1, all.length - 1)]?.focus();
    else if (event.key === 'k') all[Math.max(at - 1, 0)]?.focus();
    else if (event.key === '/') document.getElementById('q').focus();
    else if (event.key === '?') dialog().showModal();
    else return;
    event.preventDefault();
  });
})();
