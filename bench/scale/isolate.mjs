// Which segments an isolate holds. The rules are those of crates/edge-worker/src/bundle (`ensure`, `make_room`, `evict`):
// one load for all that wait, loading segments take room and cannot leave, and of those at hand the one leaves that was asked
// longest ago.

const [ABSENT, LOADING, READY] = [0, 1, 2];

export class Isolate {
  #states;
  #used;
  #clock = 0;
  #held = 0;
  /** Segments that are here or on their way, in no order. */
  #here = [];
  #bytes;
  #memory;
  /** Rises with everything that comes, goes or begins. */
  version = 0;

  /**
   * @param {ArrayLike<number>} bytes of each segment
   * @param {number} memory bytes of segments that are held at most
   */
  constructor(bytes, memory) {
    this.#bytes = bytes;
    this.#memory = memory;
    this.#states = new Uint8Array(bytes.length);
    this.#used = new Float64Array(bytes.length);
  }

  get held() {
    return this.#held;
  }

  isReady(number) {
    return this.#states[number] === READY;
  }

  isLoading(number) {
    return this.#states[number] === LOADING;
  }

  /** Notes that these segments are asked. */
  touch(numbers) {
    this.#clock += 1;
    for (const number of numbers) this.#used[number] = this.#clock;
  }

  /** Begins to load a segment; false where it is here, on its way, or has no room. */
  begin(number) {
    if (this.#states[number] !== ABSENT || !this.#makeRoom(number)) return false;
    this.version += 1;
    this.#states[number] = LOADING;
    this.#here.push(number);
    this.#held += this.#bytes[number];
    return true;
  }

  /** A segment has come. */
  settle(number) {
    this.version += 1;
    this.#states[number] = READY;
  }

  #makeRoom(number) {
    const room = Math.max(0, this.#memory - this.#bytes[number]);
    while (this.#held > room) {
      // One that is too large by itself is tried all the same, where nothing else is held.
      if (!this.#evict(number)) return this.#held === 0;
    }
    return true;
  }

  #evict(keep) {
    let oldest = -1;
    for (let at = 0; at < this.#here.length; at += 1) {
      const number = this.#here[at];
      if (number === keep || this.#states[number] !== READY) continue;
      const than = oldest < 0 ? undefined : this.#here[oldest];
      const earlier = than === undefined || this.#used[number] < this.#used[than];
      if (earlier || (this.#used[number] === this.#used[than] && number < than)) oldest = at;
    }
    if (oldest < 0) return false;
    this.version += 1;
    const gone = this.#here[oldest];
    this.#here[oldest] = this.#here.at(-1);
    this.#here.pop();
    this.#states[gone] = ABSENT;
    this.#held -= this.#bytes[gone];
    return true;
  }
}
