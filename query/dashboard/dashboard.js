/**
 * One honest page over the public API: what is in here anybody can ask for. Telemetry is other people's text: it becomes text nodes,
 * never markup.
 */

const $ = (id) => document.getElementById(id);

start();

async function start() {
  $('range').addEventListener('change', refresh);
  $('sign-in').addEventListener('submit', signIn);
  $('ask-form').addEventListener('submit', askQuestion);
  for (const example of $('examples').children) example.addEventListener('click', () => put(example.textContent));
  $('detail-close').addEventListener('click', () => {
    $('detail').hidden = true;
  });
  $('tail-pause').addEventListener('click', togglePause);
  $('tail-filter').addEventListener('submit', (submit) => {
    submit.preventDefault();
    subscribe();
  });
  const about = await (await fetch('/version')).json();
  $('version').textContent = `${about.name} ${about.version}`;
  $('exporters').textContent = exporters(about);
  await refresh();
  connect();
  setInterval(() => document.hidden || refresh(), REFRESH_MS);
}

const REFRESH_MS = 5000;
const ROWS_MAX = 500;
const FILL_ROWS = 100;
const RECONNECT_MS = 2000;
const STATUS_CLASS = { healthy: 'good', degraded: 'fair', unhealthy: 'bad', unknown: 'quiet' };
const GRAVITY = ['critical', 'warning', 'info'];
const SEVERITY_CLASS = { info: 'quiet', warning: 'fair', critical: 'bad' };
const LEVEL_CLASS = { WARNING: 'fair', ERROR: 'bad', CRITICAL: 'bad' };

function exporters({ otlp_http, otlp_grpc }) {
  const lines = [];
  if (otlp_http) lines.push(`OTEL_EXPORTER_OTLP_ENDPOINT=${otlp_http}   # protocol http/protobuf or http/json`);
  if (otlp_grpc) lines.push(`OTEL_EXPORTER_OTLP_ENDPOINT=${otlp_grpc}   # protocol grpc`);
  return (
    lines.join('\n') ||
    'The receiver runs in another process: its ports are 4317 (gRPC) and 4318 (HTTP) unless set otherwise.'
  );
}

/* ---- asking ---- */

async function ask(path, options = {}) {
  const token = sessionStorage.getItem('token');
  const response = await fetch(`/api/debug${path}`, {
    ...options,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(options.body && { 'content-type': 'application/json' }),
    },
  });
  const body = await response.json();
  if (response.status === 401) $('sign-in').hidden = false;
  if (!response.ok) throw new Error(body.detail);
  return body;
}

async function signIn(submit) {
  submit.preventDefault();
  sessionStorage.setItem('token', $('token').value);
  $('sign-in').hidden = true;
  await refresh();
  connect();
}

async function refresh() {
  const range = $('range').value;
  try {
    const [health, insights] = await Promise.all([
      ask(`/analytics/system-health?time_range=${range}`),
      ask('/insights?resolved=false&limit=50'),
    ]);
    showHealth(health);
    showInsights(insights);
    if (health.data.total_events === 0) {
      const ever = await ask('/events?limit=1');
      $('start').hidden = ever.data.length > 0;
    } else $('start').hidden = true;
  } catch (error) {
    $('components-note').textContent = error.message;
  }
}

function put(question) {
  $('question').value = question;
  $('ask-form').requestSubmit();
}

async function askQuestion(submit) {
  submit.preventDefault();
  const question = $('question').value.trim();
  if (question === '') return;
  $('answer').replaceChildren(make('p', { className: 'quiet', textContent: 'looking…' }));
  try {
    const { data } = await ask('/ai/query', { method: 'POST', body: JSON.stringify({ question }) });
    const { suggestions = [], evidence = [], confidence } = data;
    const sure = confidence === undefined ? '' : `${Math.round(confidence * 100)}% sure`;
    const ids = evidence.slice(0, 5).flatMap((id) => [' ', action(String(id).slice(-8), () => explain(id))]);
    $('answer').replaceChildren(
      make('p', { className: 'said', textContent: data.answer }),
      ...suggestions.map((what) => make('p', { textContent: what })),
      make('p', { className: 'quiet' }, [sure, ...(ids.length > 0 ? [sure && ' · ', 'evidence', ...ids] : [])]),
    );
  } catch (error) {
    $('answer').replaceChildren(make('p', { className: 'bad', textContent: error.message }));
  }
}

/* ---- health and insights ---- */

function showHealth({ data, meta }) {
  const score = data.overall_health_score;
  $('numbers').replaceChildren(
    figure(score === null ? '–' : score, 'health of 100', STATUS_CLASS[data.status]),
    figure(count(data.total_events), 'events'),
    figure(count(data.error_events), 'errors', data.error_events > 0 ? 'bad' : ''),
    figure(count(data.active_operations), 'operations under way'),
    ...(meta.coverage.pending > 0 ? [figure(count(meta.coverage.pending), 'batches not readable yet', 'fair')] : []),
  );
  $('components-note').textContent =
    data.by_component.length === 0
      ? 'No events in this time: nothing is known of anybody’s health.'
      : 'The least healthy first.';
  $('components').replaceChildren(
    ...data.by_component.map((component) =>
      make('tr', {}, [
        make('td', {}, [
          action(component.component_id, () => follow(component.component_id)),
          ' ',
          make('span', { className: 'type', textContent: component.component_type }),
        ]),
        make('td', { className: `number ${STATUS_CLASS[component.status]}`, textContent: component.health_score }),
        make('td', { className: 'number', textContent: count(component.error_events) }),
        make('td', { className: 'number', textContent: count(component.total_events) }),
      ]),
    ),
  );
}

function figure(value, label, className = '') {
  return make('div', {}, [
    make('b', { className, textContent: value }),
    make('span', { className: 'quiet', textContent: label }),
  ]);
}

function showInsights({ data }) {
  // They come last seen first; what is gravest is to be read first.
  const open = data
    .filter((insight) => insight.state !== 'ignored')
    .sort((a, b) => GRAVITY.indexOf(a.severity) - GRAVITY.indexOf(b.severity));
  $('insights-note').textContent =
    open.length === 0 ? 'None. Either all is well, or nothing has been looked into yet.' : '';
  const unfolded = new Set([...$('insights').children].filter((shown) => shown.open).map((shown) => shown.dataset.id));
  // Somebody may be writing into one of them.
  if ($('insights').contains(document.activeElement) && document.activeElement.tagName === 'INPUT') return;
  $('insights').replaceChildren(...open.map((insight) => showInsight(insight, unfolded.has(insight.id))));
}

function showInsight(insight, open) {
  const notes = make('input', { placeholder: 'how it was resolved', required: true, size: 28 });
  const form = make('form', {}, [notes, ' ', make('button', { textContent: 'resolve' })]);
  form.addEventListener('submit', async (submit) => {
    submit.preventDefault();
    notes.blur();
    const body = JSON.stringify({ resolution_notes: notes.value });
    await ask(`/insights/${insight.id}/resolve`, { method: 'PUT', body });
    await refresh();
  });
  const components = insight.affected_components.map(({ id }) => id).join(', ');
  const sure = `${Math.round(insight.confidence_score * 100)}% sure`;
  const evidence = insight.evidence.event_ids.slice(0, 5).map((id) => [action(id.slice(-8), () => explain(id)), ' ']);
  const shown = make('details', { open }, [
    make('summary', {}, [
      make('span', { className: `severity ${SEVERITY_CLASS[insight.severity]}`, textContent: insight.severity }),
      insight.title,
      insight.state === 'regressed' ? ' (came back)' : '',
    ]),
    make('p', { textContent: insight.description }),
    make('p', {
      className: 'quiet',
      textContent: `${components} · ${sure} · seen ${insight.occurrences}×, last ${clock(insight.last_seen)}`,
    }),
    ...insight.suggestions.map(({ action: what, why }) => make('p', {}, [make('b', { textContent: what }), ` ${why}`])),
    ...(evidence.length > 0 ? [make('p', { className: 'quiet' }, ['evidence ', ...evidence.flat()])] : []),
    form,
  ]);
  shown.dataset.id = insight.id;
  return shown;
}

/* ---- one event, one trace ---- */

function show(title, ...children) {
  $('detail-title').textContent = title;
  $('detail-body').replaceChildren(...children);
  $('detail').hidden = false;
  $('detail').scrollIntoView({ block: 'nearest' });
}

async function explain(id) {
  try {
    const { data: why } = await ask(`/errors/${id}/explain`);
    const chain = why.chain.map((link) => `${link.component_id}: ${link.message}`).join('\n  ⇐ ');
    show(
      'Why',
      make('p', { textContent: why.description }),
      make('pre', { textContent: chain }),
      make('p', { className: 'quiet', textContent: `${Math.round(why.confidence * 100)}% sure` }),
    );
    // What is explained may be an insight, whose event is no longer kept.
    if (why.event_id !== null) await addEvent((await ask(`/events/${why.event_id}`)).data);
  } catch (error) {
    show('Why', make('p', { textContent: error.message }));
  }
}

async function showEvent(event) {
  const failed = event.level === 'ERROR' || event.level === 'CRITICAL';
  show(`${event.event_type} of ${event.component_id}`);
  if (failed) $('detail-body').append(make('p', {}, [action('why?', () => explain(event.id))]));
  await addEvent(event);
}

async function addEvent(event) {
  $('detail-body').append(make('pre', { textContent: JSON.stringify(event, null, 2) }));
  if (event.trace_id === null) return;
  const { data: trace } = await ask(`/traces/${event.trace_id}`);
  if (trace.spans.length > 0) $('detail-body').prepend(waterfall(trace));
}

/** What lies on the critical path is drawn full, the rest pale. */
function waterfall(trace) {
  const cells = trace.spans.slice(0, 200).flatMap((span) => {
    const bar = make('div', {
      className: `bar${span.critical_path_ms > 0 ? ' critical' : ''}${span.status === 'error' ? ' failed' : ''}`,
    });
    const whole = Math.max(trace.duration_ms, 0.001);
    bar.style.left = `${(100 * span.offset_ms) / whole}%`;
    bar.style.width = `${(100 * span.duration_ms) / whole}%`;
    const name = make('div', { className: 'name', title: span.name, textContent: `${span.component_id} ${span.name}` });
    name.style.paddingLeft = `${Math.min(span.depth, 20) * 0.8}rem`;
    return [
      name,
      make('div', { className: 'track' }, [bar]),
      make('div', { className: 'number', textContent: milliseconds(span.duration_ms) }),
    ];
  });
  const note = [
    `${trace.span_count} spans, ${milliseconds(trace.duration_ms)}`,
    trace.span_count > 200 ? ', the first 200 shown' : '',
    trace.incomplete ? ', incomplete' : '',
  ];
  return make('div', {}, [
    make('p', { className: 'quiet', textContent: note.join('') }),
    make('div', { className: 'spans' }, cells),
  ]);
}

/* ---- live ---- */

/** `listening`: the server has taken the subscription that the list is for; what comes before is for another one. */
const tail = {
  socket: null,
  channel: null,
  listening: false,
  since: undefined,
  paused: false,
  held: [],
  shown: new Set(),
};

function connect() {
  tail.socket?.close();
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/debug`);
  tail.socket = socket;
  tail.channel = null;
  tail.listening = false;
  socket.addEventListener('open', () => {
    const token = sessionStorage.getItem('token');
    if (token) say({ action: 'authenticate', token });
  });
  socket.addEventListener('message', ({ data }) => hear(JSON.parse(data)));
  socket.addEventListener('close', () => {
    if (tail.socket !== socket) return;
    connection('lost', 'not connected, trying again');
    setTimeout(connect, RECONNECT_MS + Math.random() * RECONNECT_MS);
  });
}

function connection(state, text) {
  $('connection').className = `quiet ${state}`;
  $('connection').textContent = text;
}

function hear(message) {
  if (message.type === 'connected') {
    connection('live', 'live');
    // Back after a pause: what came in between follows, the list stays.
    if (tail.since === undefined) subscribe();
    else listen();
  } else if (message.type === 'subscribed') {
    tail.listening = true;
  } else if (tail.listening && (message.type === 'gap' || message.type.startsWith('debug:'))) {
    tail.since = message.cursor;
    if (message.type === 'debug:insight') refresh();
    else if (!tail.paused) add(message);
    else {
      tail.held.push(message);
      if (tail.held.length > ROWS_MAX) tail.held.shift();
      $('tail-note').textContent = `${tail.held.length} held`;
    }
  }
}

/** Shows the latest that match, then what comes. */
async function subscribe() {
  tail.listening = false;
  tail.shown.clear();
  $('tail').replaceChildren();
  const query = new URLSearchParams({ limit: FILL_ROWS, event_type: 'log,error,span,state_snapshot,system' });
  const { component, min_level, q } = chosen();
  if (component) query.set('component_id', component);
  if (min_level) query.set('min_level', min_level);
  if (q) query.set('q', q);
  const { data } = await ask(`/events?${query}`);
  for (const event of data.reverse()) add({ type: 'debug:event', data: event });
  listen();
}

function listen() {
  if (tail.socket?.readyState !== WebSocket.OPEN) return;
  const { component, min_level, q } = chosen();
  const channel = component ? `debug:${component}` : 'debug:all';
  if (tail.channel !== null && tail.channel !== channel) say({ action: 'unsubscribe', channel: tail.channel });
  tail.channel = channel;
  const message_type = ['debug:event', 'debug:state_change', 'debug:insight'];
  say({ action: 'subscribe', channel, filter: { message_type, min_level, q }, since: tail.since });
}

function say(message) {
  tail.socket.send(JSON.stringify(message));
}

/** What the form asks for; undefined for what it does not. */
function chosen() {
  const value = (id) => $(id).value.trim() || undefined;
  return { component: value('tail-component'), min_level: value('tail-level'), q: value('tail-text') };
}

function follow(component) {
  $('tail-component').value = component;
  $('tail-filter').requestSubmit();
}

function togglePause() {
  tail.paused = !tail.paused;
  $('tail-pause').setAttribute('aria-pressed', tail.paused);
  $('tail-pause').textContent = tail.paused ? 'go on' : 'pause';
  $('tail-note').textContent = '';
  for (const message of tail.held.splice(0)) if (!tail.paused) add(message);
}

function add(message) {
  // Where the latest that were asked for meet the first that come, some come twice.
  if (tail.shown.has(message.data.id)) return;
  if (message.data.id) tail.shown.add(message.data.id);
  const list = $('tail');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(message.type === 'gap' ? gapRow(message.data) : row(message.data));
  if (list.children.length > ROWS_MAX) list.firstChild.remove();
  if (tail.shown.size > 2 * ROWS_MAX) tail.shown = new Set([...tail.shown].slice(-ROWS_MAX));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function gapRow({ dropped }) {
  const text =
    dropped === null
      ? 'some messages are missing here'
      : `${dropped} messages are missing here: this page was too slow`;
  return make('li', { className: 'gap', textContent: text });
}

function row(event) {
  const changed = event.diff_from_previous ? `changed ${Object.keys(event.diff_from_previous).join(', ')}` : 'state';
  const said = event.event_type === 'state_snapshot' ? changed : event.message;
  const took = event.duration_ms === undefined ? '' : ` ${milliseconds(event.duration_ms)}`;
  const button = make('button', { type: 'button', className: 'row' }, [
    make('span', { className: 'quiet', textContent: clock(event.timestamp) }),
    make('span', { className: LEVEL_CLASS[event.level] ?? 'quiet', textContent: event.level ?? event.event_type }),
    make('span', { textContent: event.component_id }),
    make('span', { textContent: said + took }),
  ]);
  button.addEventListener('click', () => showEvent(event));
  return make('li', {}, [button]);
}

/* ---- elements ---- */

/** The only way in which this page makes elements: properties and text, no markup. */
function make(tag, properties, children = []) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

function action(text, run) {
  const button = make('button', { type: 'button', className: 'link', textContent: text });
  button.addEventListener('click', run);
  return button;
}

function count(number) {
  return number.toLocaleString('en');
}

function milliseconds(ms) {
  return ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}

function clock(timestamp) {
  const digits = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 };
  return new Date(timestamp).toLocaleTimeString('en-GB', digits);
}
