// Events by time; of equal times the one that was added first comes first, so that a run is the same every time.

export class Heap {
  #items = [];
  #count = 0;

  get size() {
    return this.#items.length;
  }

  push(time, event) {
    const items = this.#items;
    const item = { time, order: (this.#count += 1), event };
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, items[parent])) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  pop() {
    const items = this.#items;
    const [first] = items;
    const last = items.pop();
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1], items[child])) child += 1;
      if (!before(items[child], last)) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return first;
  }
}

const before = (a, b) => a.time < b.time || (a.time === b.time && a.order < b.order);
