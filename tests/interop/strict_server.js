/* A CSMS for OCPP 1.6-J that says yes to everything, on npm's `ocpp-rpc` in strict mode: what does not fit the schemas
 * is a violation. It is here because its authors never saw our code.
 *
 *   node strict_server.js [--host 127.0.0.1] [--port 0] [--interval 300] [--speed 1] [--epoch SHOWN[@REAL]]
 *
 * Standard output: one JSON object a line.
 *   {"listening": "ws://127.0.0.1:PORT", "port": PORT, ...}                       first
 *   {"connected": "CP1"}, {"gone": "CP1"}
 *   {"call": {station, id, action, params}}                                       each CALL of a station
 *   {"violation": {station, what, action, id, reason, content}}                   what: call, result, answer, frame
 *   {"callerror": {station, by, id, code, text}}                                  by: station, server
 *   {"answer" | "error": ..., station, action, id}                                to a line of standard input
 *   {"summary": {stations, calls, answers, violations, callerrors, started, stopped, wh}}   last, at SIGTERM
 * Standard input: {"id": 1, "station": "CP1", "action": "Reset", "payload": {"type": "Soft"}}; its end is the end
 */
'use strict';

const { RPCServer, createRPCError } = require('ocpp-rpc');
const { fstatSync } = require('fs');
const readline = require('readline');
const { parseArgs } = require('util');

const PROTOCOL = 'ocpp1.6';

const { values: options } = parseArgs({
    options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '0' },
        interval: { type: 'string', default: '300' },
        speed: { type: 'string', default: '1' },
        epoch: { type: 'string', default: '' },
    },
});

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// --- the clock: showed `epoch` at the real time `start`, and runs `speed` times as fast

const [shown, real] = options.epoch.split('@');
const start = real ? Date.parse(real) : Date.now();
const epoch = shown ? Date.parse(shown) : start;
const now = () => new Date(epoch + (Date.now() - start) * Number(options.speed)).toISOString();

// --- what is kept, and what is counted

const clients = new Map();
const transactions = new Map(); // id: {key, meterStart, meterStop}
const ids = new Map(); // station and message id: transaction id, so that a frame sent twice counts once
const count = { calls: 0, answers: 0, violations: 0, callerrors: 0 };
const seen = new Set();

function begin(station, messageId, params) {
    const key = `${station} ${messageId}`;
    if (!ids.has(key)) {
        ids.set(key, ids.size + 1);
        transactions.set(ids.get(key), { meterStart: params.meterStart });
    }
    return ids.get(key);
}

function end(params) {
    const transaction = transactions.get(params.transactionId);
    if (transaction) transaction.meterStop = params.meterStop;
}

function summary() {
    const stopped = [...transactions.values()].filter((one) => one.meterStop !== undefined);
    const wh = stopped.reduce((sum, one) => sum + one.meterStop - one.meterStart, 0);
    return { stations: [...seen], ...count, started: transactions.size, stopped: stopped.length, wh };
}

// --- the answers

const good = { idTagInfo: { status: 'Accepted' } };
const answers = {
    BootNotification: () => ({ status: 'Accepted', currentTime: now(), interval: Number(options.interval) }),
    Heartbeat: () => ({ currentTime: now() }),
    StatusNotification: () => ({}),
    Authorize: () => good,
    StartTransaction: (station, id, params) => ({ transactionId: begin(station, id, params), ...good }),
    MeterValues: () => ({}),
    StopTransaction: (station, id, params) => (end(params), params.idTag ? good : {}),
    DataTransfer: () => ({ status: 'UnknownVendorId' }),
    FirmwareStatusNotification: () => ({}),
    DiagnosticsStatusNotification: () => ({}),
};

function violation(station, what, action, id, error, content) {
    count.violations += 1;
    const reason = [error.message, JSON.stringify(error.details?.errors ?? error.details ?? {})].join(' ');
    say({ violation: { station, what, action, id, reason, content } });
}

function callError(station, by, id, code, text) {
    count.callerrors += 1;
    say({ callerror: { station, by, id, code, text } });
}

function attend(client) {
    const station = client.identity;
    clients.get(station)?.close({ code: 1000, reason: 'replaced by a newer connection' });
    clients.set(station, client);
    seen.add(station);
    say({ connected: station });

    client.handle(({ method, params, messageId }) => {
        if (!answers[method]) throw createRPCError('NotImplemented', method);
        return answers[method](station, messageId, params);
    });
    client.on('call', ({ outbound, payload: [, id, action, params] }) => {
        if (outbound) return;
        count.calls += 1;
        say({ call: { station, id, action, params } });
    });
    client.on('response', ({ outbound, payload: [type, id, ...rest] }) => {
        if (type === 4) callError(station, outbound ? 'server' : 'station', id, rest[0], rest[1]);
        else if (!outbound) count.answers += 1;
    });
    client.on('strictValidationFailure', ({ outbound, isCall, method, messageId, params, result, error }) => {
        const what = outbound ? 'answer' : isCall ? 'call' : 'result'; // `answer` is our own: a fault of this file
        violation(station, what, method, messageId, error, isCall ? params : result);
    });
    client.on('badMessage', ({ buffer, error }) => {
        violation(station, 'frame', null, null, error, buffer.toString().slice(0, 500));
    });
    client.once('close', () => {
        if (clients.get(station) === client) clients.delete(station);
        say({ gone: station });
    });
}

async function command({ id, station, action, payload = {} }) {
    const label = { station, action, id };
    try {
        const client = clients.get(station);
        if (!client) throw new Error('not connected');
        say({ answer: await client.call(action, payload), ...label });
    } catch (error) {
        say({ error: `${error.rpcErrorCode ?? 'Error'}: ${error.message}`, ...label });
    }
}

async function main() {
    const server = new RPCServer({ protocols: [PROTOCOL], strictMode: true });
    server.auth((accept, reject, handshake) => {
        if (handshake.protocols.has(PROTOCOL)) accept({}, PROTOCOL);
        else reject(400, `offer ${PROTOCOL}`);
    });
    server.on('client', attend);
    const http = await server.listen(Number(options.port), options.host);
    const { port } = http.address();
    const clock = `${new Date(epoch).toISOString()}@${new Date(start).toISOString()}`;
    const version = require('ocpp-rpc/package.json').version;
    say({ listening: `ws://${options.host}:${port}`, port, epoch: clock, speed: Number(options.speed), 'ocpp-rpc': version });

    const input = readline.createInterface({ input: process.stdin });
    input.on('line', (line) => {
        try {
            command(JSON.parse(line));
        } catch (error) {
            say({ error: `not a line of JSON: ${line}` });
        }
    });
    const stdin = fstatSync(0);
    if (stdin.isFIFO() || stdin.isSocket()) input.on('close', finish); // whoever started us is gone
    process.on('SIGTERM', finish);
    process.on('SIGINT', finish);
}

function finish() {
    process.stdout.write(JSON.stringify({ summary: summary() }) + '\n', () => process.exit(0));
}

main();
