// The re-rank of core's `rerank` in plain JavaScript, but for the trees: features, sorting, maximal marginal relevance.
// Nobody searched and nothing is declared in the bench's world, so those features are missing.

export const FEATURES = [
  "age_years", "gender", "segment", "device", "engagement", "history_clicks", "visit_clicks", "visit_searches",
  "since_click_s", "hour_utc", "weekday", "duration_log2_s", "category", "language", "age_days", "impressions_log",
  "clicks_log", "click_rate", "popularity_log", "popularity_ratio", "upload_gap_days", "language_match",
  "duration_ratio_log2", "category_affinity", "category_in_visit", "creator_affinity", "same_category_as_last",
  "same_creator_as_last", "tag_affinity", "tags_of_last", "sim_recent", "sim_visit", "sim_all", "sim_last",
  "sim_nearest", "sim_searched", "search_match", "cowatch_max", "cowatch_recent", "cowatch_all", "cowatch_last",
];
const WIDTH = FEATURES.length;
const WINDOW = 10;
const VISIT_GAP_MS = 1_800_000;
const DECAY = 0.87;
const DAY_MS = 86_400_000;

function dot(a, b) {
  let sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  for (let i = 0; i < a.length; i += 4) {
    sum0 += a[i] * b[i];
    sum1 += a[i + 1] * b[i + 1];
    sum2 += a[i + 2] * b[i + 2];
    sum3 += a[i + 3] * b[i + 3];
  }
  return sum0 + sum1 + (sum2 + sum3);
}

function meanDirection(clicks) {
  const sum = new Float32Array(clicks[0].vector.length);
  for (const { vector } of clicks) for (let i = 0; i < sum.length; i++) sum[i] += vector[i];
  const length = Math.sqrt(dot(sum, sum));
  for (let i = 0; i < sum.length; i++) sum[i] /= length;
  return sum;
}

function ones(bits) {
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

const average = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

/** Share of the clicks for each value of a key, newer ones weighing more. */
function affinities(clicks, key) {
  const shares = new Map();
  let weight = 1, total = 0;
  for (let at = clicks.length - 1; at >= 0; at--) {
    const value = clicks[at][key];
    shares.set(value, (shares.get(value) ?? 0) + weight);
    total += weight;
    weight *= DECAY;
  }
  for (const [value, sum] of shares) shares.set(value, sum / total);
  return shares;
}

function tagWeights(clicks) {
  const weights = new Float64Array(32);
  let weight = 1, total = 0;
  for (let at = clicks.length - 1; at >= 0; at--) {
    const { tags } = clicks[at];
    if (tags === 0) continue;
    const share = weight / Math.sqrt(ones(tags));
    for (let bits = tags; bits !== 0; bits &= bits - 1) weights[31 - Math.clz32(bits & -bits)] += share;
    total += weight;
    weight *= DECAY;
  }
  return weights.map((x) => x / total);
}

function coWatched(clicks) {
  const all = clicks.filter(({ neighbours }) => neighbours.length > 0).length;
  const recent = clicks.slice(-WINDOW).filter(({ neighbours }) => neighbours.length > 0).length;
  const sums = new Map();
  for (let place = 0; place < clicks.length; place++) {
    for (const [item, share] of clicks[clicks.length - 1 - place].neighbours) {
      const weight = share / 65535;
      let of = sums.get(item);
      if (of === undefined) sums.set(item, (of = { max: 0, recent: 0, all: 0, last: 0 }));
      of.max = Math.max(of.max, weight);
      of.all = Math.min(1, of.all + weight / all);
      if (place < WINDOW) of.recent = Math.min(1, of.recent + weight / recent);
      if (place === 0) of.last = weight;
    }
  }
  return sums;
}

function majorityLanguage(clicks) {
  const counts = new Map();
  for (const { language } of clicks) counts.set(language, (counts.get(language) ?? 0) + 1);
  let best;
  for (const { language } of clicks) if (best === undefined || counts.get(language) >= counts.get(best)) best = language;
  return best;
}

const NONE = { max: 0, recent: 0, all: 0, last: 0 };

/** Fills rows of FEATURES, one a candidate. */
export function fill({ clicks, candidates, now_ms }, rows) {
  const last = clicks.at(-1);
  const recent = clicks.slice(-WINDOW);
  let start = clicks.length;
  for (let next = now_ms; start > 0 && next - clicks[start - 1].ts_ms <= VISIT_GAP_MS; start--) next = clicks[start - 1].ts_ms;
  const visit = clicks.slice(start);
  const recentVisit = visit.slice(-WINDOW);
  const means = [recent, recentVisit, clicks].map(meanDirection);
  const engagement = average(clicks.map((click) => Math.min(1, click.watch_seconds / click.duration_s)));
  const usualDuration = average(clicks.map((click) => Math.log2(click.duration_s)));
  const usualDay = average(recent.map((click) => click.uploaded_day));
  const usualPopularity = average(recent.map((click) => Math.log1p(click.clicks)));
  const language = majorityLanguage(clicks);
  const byCategory = affinities(clicks, "category");
  const byCreator = affinities(clicks, "creator");
  const inVisit = new Map();
  for (const { category } of recentVisit) inVisit.set(category, (inVisit.get(category) ?? 0) + 1 / recentVisit.length);
  const tags = tagWeights(clicks);
  const watched = coWatched(clicks);
  const lastTags = Math.sqrt(ones(last.tags));
  const since = (now_ms - last.ts_ms) / 1000;
  const hour = (now_ms % DAY_MS) / 3_600_000;
  const weekday = (Math.floor(now_ms / DAY_MS) + 3) % 7;
  const today = now_ms / DAY_MS;
  let at = 0;
  for (const item of candidates) {
    const clicksLog = Math.log1p(item.clicks);
    const durationLog = Math.log2(item.duration_s);
    let nearest = -Infinity, similarity = NaN;
    for (const click of recent) {
      similarity = dot(click.vector, item.vector);
      if (similarity > nearest) nearest = similarity;
    }
    let tagSum = 0;
    for (let bits = item.tags; bits !== 0; bits &= bits - 1) tagSum += tags[31 - Math.clz32(bits & -bits)];
    const tagLength = Math.sqrt(ones(item.tags));
    const together = watched.get(item.hash) ?? NONE;
    rows[at] = rows[at + 1] = rows[at + 2] = rows[at + 3] = NaN;
    rows[at + 4] = engagement;
    rows[at + 5] = clicks.length;
    rows[at + 6] = visit.length;
    rows[at + 7] = 0;
    rows[at + 8] = since;
    rows[at + 9] = hour;
    rows[at + 10] = weekday;
    rows[at + 11] = durationLog;
    rows[at + 12] = item.category;
    rows[at + 13] = item.language;
    rows[at + 14] = Math.max(0, today - item.uploaded_day);
    rows[at + 15] = Math.log1p(item.impressions);
    rows[at + 16] = clicksLog;
    rows[at + 17] = Math.min(1, (item.clicks + 1) / (item.impressions + 20));
    rows[at + 18] = Math.log1p(item.popularity);
    rows[at + 19] = clicksLog - usualPopularity;
    rows[at + 20] = item.uploaded_day - usualDay;
    rows[at + 21] = item.language === language ? 1 : 0;
    rows[at + 22] = durationLog - usualDuration;
    rows[at + 23] = byCategory.get(item.category) ?? 0;
    rows[at + 24] = inVisit.get(item.category) ?? 0;
    rows[at + 25] = byCreator.get(item.creator) ?? 0;
    rows[at + 26] = item.category === last.category ? 1 : 0;
    rows[at + 27] = item.creator === last.creator ? 1 : 0;
    rows[at + 28] = item.tags === 0 ? NaN : Math.min(1, tagSum / tagLength);
    rows[at + 29] = item.tags === 0 || last.tags === 0 ? NaN : Math.min(1, ones(item.tags & last.tags) / (tagLength * lastTags));
    rows[at + 30] = dot(means[0], item.vector);
    rows[at + 31] = dot(means[1], item.vector);
    rows[at + 32] = dot(means[2], item.vector);
    rows[at + 33] = similarity;
    rows[at + 34] = nearest;
    rows[at + 35] = rows[at + 36] = NaN;
    rows[at + 37] = together.max;
    rows[at + 38] = together.recent;
    rows[at + 39] = together.all;
    rows[at + 40] = together.last;
    at += WIDTH;
  }
}

/** Maximal marginal relevance over the best `pool` unseen; indices of the candidates. */
export function choose({ candidates, seen }, scores, { pool, lambda, k }) {
  const order = [];
  for (let index = 0; index < candidates.length; index++) if (!seen.has(candidates[index].id)) order.push(index);
  order.sort((a, b) => scores[b] - scores[a]);
  order.length = Math.min(order.length, Math.max(pool, k));
  const high = scores[order[0]];
  const span = high - scores[order.at(-1)];
  const relevance = Float64Array.from(order, (index) => (span > 0 ? 1 - (high - scores[index]) / span : 0));
  const nearest = new Float64Array(order.length);
  const left = Array.from(order.keys());
  const chosen = [];
  while (chosen.length < k && left.length > 0) {
    let best = 0, most = -Infinity;
    for (let place = 0; place < left.length; place++) {
      const value = lambda * relevance[left[place]] - (1 - lambda) * nearest[left[place]];
      if (value > most) [best, most] = [place, value];
    }
    const [index] = left.splice(best, 1);
    const { vector } = candidates[order[index]];
    for (const other of left) {
      const similarity = dot(vector, candidates[order[other]].vector);
      nearest[other] = chosen.length === 0 ? similarity : Math.max(nearest[other], similarity);
    }
    chosen.push(index);
  }
  return chosen.map((index) => order[index]);
}
