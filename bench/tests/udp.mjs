/**
 * UDP datagrams by a generator of our own (`traffic/`), the same for every tunnel: sendmmsg(2) in batches, a datagram
 * per packet. Sizes are of the UDP payload.
 *
 *   flood      as fast as one sender goes: what arrives, and what that costs
 *   lossless   the highest rate at which at most 1 % is lost, searched for
 *   sweep      loss at a ladder of rates, for the chart
 *
 * Sender, receiver and tunnel share the machine's CPUs, so a tunnel that leaves the sender less time lowers its own
 * rate. Where the sender cannot send faster without loss, its limit is the result.
 */
import { cpuTime, since } from "../measure/cpu.mjs";

const PORT = 5002;
/** Milliseconds after the last datagram was sent in which the tunnel may deliver what it holds. */
const GRACE = 100;
const MOST_LOSS = 0.01;
/** The search ends when the best rate and the lowest that failed are this close. */
const CLOSE = 1.04;
const MOST_PROBES = 8;
const FLOWS = 256;
/** The simple IMIX: seven small datagrams, four of middle size, one large, shuffled. */
const IMIX = [64, 576, 64, 64, 576, 64, 1400, 64, 576, 64, 576, 64];
const LADDER = [25, 50, 75, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400];

export const tests = [
  flood("udp64", "UDP flood, 64 bytes", [64], { quick: true }),
  flood("udp512", "UDP flood, 512 bytes", [512]),
  flood("udp1400", "UDP flood, 1,400 bytes", [1400], { quick: true }),
  lossless("loss64", "UDP at ≤ 1 % loss, 64 bytes", [64], { shared: true, quick: true }),
  lossless("loss512", "UDP at ≤ 1 % loss, 512 bytes", [512]),
  lossless("loss1400", "UDP at ≤ 1 % loss, 1,400 bytes", [1400], { quick: true }),
  lossless("imix", "UDP at ≤ 1 % loss, small and large (IMIX)", IMIX),
  sweep("sweep64", "UDP loss by rate, 64 bytes", [64]),
  flood("flows", `UDP flood, 64 bytes, ${FLOWS} flows`, [64], { flows: FLOWS, quick: true }),
  flood("rows-udp", "UDP flood, 64 bytes, 1,000 peers", [64], { rows: true, quick: true }),
];

/** Seconds that a bed's generator runs before anything is measured: its code is compiled meanwhile. */
const WARM_UP = 0.3;
const warm = new WeakSet();

/** Sends for `seconds` and counts at the other end. @param rate packets a second, null for no limit */
export async function transmit(bed, order) {
  if (!warm.has(bed)) {
    warm.add(bed);
    await once(bed, { ...order, seconds: WARM_UP });
  }
  return once(bed, order);
}

async function once(bed, { sizes, rate = null, seconds, flows = 1, family = 4 }) {
  const [from, to] = [bed.traffic("a"), bed.traffic("b")];
  await to.ask({ do: "receive", family, port: PORT });
  const sent = await from.ask({
    do: "send",
    to: bed.target(family),
    port: PORT,
    sizes,
    rate,
    seconds,
    flows,
  });
  await new Promise((resolve) => setTimeout(resolve, GRACE));
  const got = await to.ask({ do: "stop" });
  return {
    offered: rate,
    sent: sent.sent,
    received: got.received,
    sentRate: sent.sent / sent.seconds,
    // Who falls behind delivers the rest after the end: that time counts, too.
    receivedRate: got.received / Math.max(got.seconds, sent.seconds),
    loss: sent.sent === 0 ? 0 : Math.max(0, 1 - got.received / sent.sent),
  };
}

function flood(name, title, sizes, { flows = 1, ...more } = {}) {
  return {
    ...{ name, title, metrics: ["kpps", "sentKpps", "loss", "cpuPerPacket"], ...more },
    cost: (seconds) => seconds + GRACE / 1000,
    async run(bed, { seconds }) {
      const before = cpuTime(bed.agents);
      const result = await transmit(bed, { sizes, seconds, flows });
      const cpu = since(before, bed.agents);
      return {
        kpps: result.receivedRate / 1000,
        sentKpps: result.sentRate / 1000,
        loss: result.loss * 100,
        ...(result.received > 0 && { cpuPerPacket: (cpu.machine * 1e6) / result.received }),
        points: [point(result)],
      };
    },
  };
}

/** Seconds of one probe of a search: long enough that no buffer can hide one per cent of it. */
function probeSeconds(seconds) {
  return Math.max(0.4, seconds / 4);
}

function lossless(name, title, sizes, more = {}) {
  return {
    ...{ name, title, metrics: ["lossless"], ...more },
    cost: (seconds) => (probeSeconds(seconds) + GRACE / 1000) * 6,
    async run(bed, { seconds, memory }) {
      const probe = (rate) => transmit(bed, { sizes, rate, seconds: probeSeconds(seconds) });
      const { best, probes } = await search(probe, memory.guess);
      memory.guess = best > 0 ? best : undefined;
      return { lossless: best / 1000, points: probes.map(point) };
    },
  };
}

/**
 * The highest rate that loses at most 1 %. Starts at the last run's result, else at what a flood delivers; goes up or
 * down until it has passed the limit, then halves the distance.
 * @param probe sends at a rate, null for a flood
 */
export async function search(probe, guess) {
  const probes = [];
  const run = async (rate) => {
    probes.push(await probe(rate));
    return probes.at(-1);
  };
  let rate = guess;
  let [best, worst, stride] = [0, Number.POSITIVE_INFINITY, 1.2];
  if (rate === undefined) {
    const flooded = await run(null);
    if (flooded.loss <= MOST_LOSS) best = flooded.sentRate;
    rate = flooded.receivedRate * (best > 0 ? 1.1 : 1);
  }
  while (probes.length < MOST_PROBES && worst > best * CLOSE) {
    const { loss, sentRate } = await run(rate);
    if (loss <= MOST_LOSS) {
      best = Math.max(best, sentRate);
      // The sender can do no more.
      if (sentRate < rate * 0.95) break;
    } else worst = Math.min(worst, rate);
    if (best > 0 && worst < Number.POSITIVE_INFINITY) rate = Math.sqrt(best * worst);
    else {
      // Still on one side of the limit: the further away it seems to be, the longer the steps.
      rate *= best > 0 ? stride : 1 / stride;
      stride *= 1.2;
    }
  }
  return { best, probes };
}

function sweep(name, title, sizes) {
  return {
    ...{ name, title, metrics: [], runs: 1, quick: true },
    cost: (seconds) => ladder(seconds).length * 0.75 * (probeSeconds(seconds) + GRACE / 1000),
    async run(bed, { seconds }) {
      const points = [];
      for (const rate of ladder(seconds)) {
        const result = await transmit(bed, { sizes, rate: rate * 1000, seconds: probeSeconds(seconds) });
        points.push(point(result));
        if (result.sentRate < rate * 950) break;
      }
      return { points };
    },
  };
}

/** Every other rate where there is little time. */
function ladder(seconds) {
  return seconds < 2 ? LADDER.filter((_, i) => i % 2 === 1) : LADDER;
}

/** What a chart of loss wants: thousands a second sent and received, and the loss in per cent. */
function point({ sentRate, receivedRate, loss }) {
  return { sent: sentRate / 1000, received: receivedRate / 1000, loss: loss * 100 };
}
