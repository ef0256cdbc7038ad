// Numbers and times in words, for the page.

const integer = new Intl.NumberFormat("en-GB");
const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `1 click`, `3 clicks`. */
export function count(n, one, many = `${one}s`) {
  return `${integer.format(n)} ${n === 1 ? one : many}`;
}

/** Bytes, always to the byte: the receipt is exact. */
export function bytes(n) {
  return `${integer.format(n)} B`;
}

/** Milliseconds to two figures below 10. */
export function milliseconds(ms) {
  return `${ms < 10 ? ms.toPrecision(2) : Math.round(ms)} ms`;
}

/** `0:07`, `12:30`. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Time of day of a timestamp in milliseconds. */
export function time(ms) {
  return clockTime.format(ms);
}

/** A feature's value with its unit; `null` means that the ranker did not know it. */
export function measure(value, unit) {
  if (value === null || value === undefined) return "not known";
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return unit && unit !== "1" ? `${rounded} ${unit}` : String(rounded);
}

/** `+0.31`, `−1.20`: a part of a score. */
export function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
