/**
 * Recommendations computed in the viewer's browser.
 *
 * A `Recommender` is a thin proxy: the WebAssembly module runs in a Web Worker, so no call blocks the page. Calls
 * are answered one at a time, in the order in which they were made.
 *
 * Every rejected call carries an `Error` whose `name` a program can test and whose `message` says what was
 * expected, what was found and what to do. The names `Crashed`, `Closed`, `NotCloneable` and `Blocked` (the page's
 * Content-Security-Policy stops the worker) come from the proxy itself; all others (`UnknownItem`, `BadOption`, `Network`,
 * `BadReply`, `ModeForbids`, …) come from the module, and `Network` and `BadReply` also from loading it.
 */

/**
 * What may leave the browser.
 *
 * - `history`: clicks and watches go to the site's server and are kept there under a random name. Not private. Off unless the
 *   owner has turned `/v1/events` on and the viewer has picked it.
 * - `standard`: after a click, one request with the mean vector of the recent clicks. No ids. Not anonymous.
 * - `noised`: one cluster of the catalogue is fetched, by randomised response: local differential privacy, a report an
 *   epoch, until the budget is spent.
 * - `bucket`: a few clusters are fetched whole, the true one among dummies, one set an epoch.
 * - `local`: the segments of the catalogue and the ranker are fetched once, the same for everybody; no call
 *   sends anything afterwards.
 *
 * `noised` and `bucket` need a bundle with clusters (`recsys index --shards 16`). What each mode leaks was measured:
 * docs/privacy.md.
 */
export type Mode = "history" | "standard" | "noised" | "bucket" | "local";

export interface OpenOptions {
  /** Origin of the site that serves `/v1/…` and `/bundle/…`, such as `location.origin`. */
  endpoint: string;
  /** The modes that the site offers; `setMode` rejects others with `ModeForbids`. Default: all but `history`. */
  offer?: Mode[];
  /**
   * The site's own choice of the mode to begin with; the first of `offer` where it is absent. Where the browser sends Global
   * Privacy Control or Do Not Track, the strictest that is offered is taken instead: `local`, else `bucket`, `noised`.
   */
  mode?: Mode;
  /** What this viewer chose, where the page remembers it: taken whatever the browser sends. */
  picked?: Mode;
  /** What the modes with clusters do. The audit's figures are those of the settings that it was run with. */
  privacy?: {
    /** ε of one report in noised mode, 0.01 to 16. Default: 4. */
    epsilon?: number;
    /** ε of all reports until `forget`. Then nothing new is asked for in that mode. Default: 16. */
    budget?: number;
    /** Length of an epoch in days, 1 to 366: one report, and one set of dummies. Default: 7. */
    epochDays?: number;
    /** Clusters of a set in bucket mode, 1 to 64. Default: 4. */
    bucket?: number;
  };
  /** Used for ranking in the browser; never sent. */
  userFeatures?: {
    /** Such as `"25-34"`, `"65+"` or `"<18"`. */
    ageBand?: string;
    gender?: "female" | "male" | "other";
    /** A language as the catalogue writes it. */
    language?: string;
    /** A group of the site's own, 0 to 255. */
    segment?: number;
    /** Default: found by pointer, screen and user agent; `undefined` for none. */
    device?: "phone" | "tablet" | "desktop" | "tv";
  };
  /**
   * Lets counts of impressions, clicks, pairs of clicks in a row and experiment arms go to `/v1/aggregates`, with no
   * viewer, time or order in them; in standard mode only. They are sent in batches after one to five minutes, drawn at
   * random, and when the page is hidden. Default: `false`.
   */
  aggregates?: boolean;
  /**
   * Public keys, 64 hexadecimal digits each, as `recsys key public` prints them: a bundle that none of them has signed is
   * refused. Default: none, and signatures are not asked for.
   */
  keys?: string[];
  /**
   * CLIP in the browser, for searches in other modes than standard: the address of a model directory (docs/models.md), against `endpoint`;
   * `true` stands for `model/`. Its module and its files are fetched when such a mode begins, the same for everybody, and kept.
   * Default: none, and these modes do not search.
   */
  encoder?: boolean | string;
  /** Name of the IndexedDB database that holds the clicks. Default: `recsys`. */
  database?: string;
}

/** One video. The field names are those of schema.org's VideoObject; URLs are relative to the site root. */
export interface Item {
  id: string;
  name: string;
  creator?: string;
  category?: string;
  language?: string;
  durationSeconds?: number;
  /** ISO 8601 date. */
  uploadDate?: string;
  thumbnailUrl?: string;
  /** A horizontal strip of 8 frames, 240×135 pixels each. */
  previewUrl?: string;
  contentUrl?: string;
  /** Where to find the thumbnail in the shared sheets: index into {@link Recommender.sheets}, column, row. */
  sprite?: { sheet: number; x: number; y: number };
}

/** Conditions on every video, all of which must hold. A video of which the field is not known does not meet it. */
export interface Filter {
  /** It has one of these categories (`genre`). */
  categories?: string[];
  /** It is in one of these languages (`inLanguage`). */
  languages?: string[];
  /** Its `contentRating` calls it fit from this age in years, or from a lower one. */
  age?: number;
  durationSeconds?: { min?: number; max?: number };
  /** ISO 8601 dates, UTC; both days included. */
  uploaded?: { from?: string; to?: string };
}

export interface Recommendation {
  item: Item;
  /** 1 is first. */
  rank: number;
  /** Higher is better; comparable within one slate only. */
  score: number;
  /** Why it is here, where the ranking did not choose the place: the owner pinned it, or chance put it there. */
  slot?: "pinned" | "explored";
  /** Probability, below 1, that a page of these candidates shows the video; absent where that is certain, or not known. */
  propensity?: number;
}

export interface Slate {
  items: Recommendation[];
  /** Names the slate in {@link RecordedEvent} and in the log; never sent. Results of a search have none. */
  request?: string;
  /** `popular` as long as there is no click. */
  source: "personal" | "popular" | "search";
  mode: Mode;
  /** The bundle that the candidates came from. */
  bundle: string;
  /** Why the slate is not what was asked for, where a part was missing. */
  degraded?: string;
  /** `retrieveMs` includes the network, where the mode uses it. */
  timings: { retrieveMs: number; rankMs: number; candidates: number };
}

export interface RecordedEvent {
  event: "click" | "watch" | "search" | "impression";
  /** Id of the video; needed for `click` and `watch`. */
  item?: string;
  /** For `impression`: several videos of one slate. Without `item` and `items`, all of the slate `request`. */
  items?: string[];
  /**
   * The slate that showed the video. Default: for `impression` the newest slate that has it, for `click` and `watch` the
   * newest in which its impression was recorded.
   */
  request?: string;
  /** For `watch`: seconds played, 0 or more. */
  watchSeconds?: number;
  /** For `search`. */
  query?: string;
}

export interface Explanation {
  id: string;
  /** The clicked video that is most like this one; absent without clicks. */
  becauseOf?: { id: string; name: string; similarity: number };
  /** What the ranker read of this video, strongest first. `null` means missing. */
  reasons: { feature: string; label: string; value: number | null; unit: string }[];
  /**
   * The score, split exactly (Shapley values of the trees): `expected` and all contributions add up to it. `typical` is
   * the mean contribution over the slate's candidates; features come in the order of how far they are from it. Absent
   * without clicks, without a ranker, and for rankers whose file has no covers.
   */
  contributions?: {
    expected: number;
    features: {
      feature: string;
      label: string;
      value: number | null;
      unit: string;
      contribution: number;
      typical: number;
    }[];
  };
  /** The same in one sentence for the viewer. */
  sentence: string;
}

/** One request that the module made. */
export interface Sent {
  /** Milliseconds since 1970-01-01 UTC. */
  at: number;
  method: string;
  url: string;
  /** Length of the body. */
  bytes: number;
  /** The exact request body as text; empty for GET, and for a picture. */
  body: string;
  /** The same in words. */
  words: string;
}

/** What the mode promises, and what of noised mode's budget is spent. */
export interface Privacy {
  mode: Mode;
  /** In words for the viewer. */
  claim: string;
  /** ε of a report, of all reports so far, and of all reports at most. */
  epsilon: { report: number; spent: number; budget: number };
}

/** A picture with a grid of thumbnails. */
export interface Sheet {
  url: string;
  columns: number;
  rows: number;
  /** Of one cell, in pixels. */
  width: number;
  /** Of one cell, in pixels. */
  height: number;
}

export class Recommender {
  private constructor();
  /** Starts the Web Worker, loads the module and the stored clicks, and fetches what the mode needs. */
  static open(options: OpenOptions): Promise<Recommender>;
  /**
   * Stores one event in this browser. Resolves once it is stored. An impression counts once for each place of a slate.
   */
  record(event: RecordedEvent): Promise<void>;
  /**
   * The `k` best videos now (default 20), without those already clicked. A `filter` goes to the server with the request in
   * standard mode, and nowhere in the others.
   */
  recommend(options?: { k?: number; filter?: Filter }): Promise<Slate>;
  /**
   * Videos that match a text or a picture (JPEG, PNG, WebP, GIF; in other modes than standard whatever the browser reads). In
   * those it needs `encoder`, and rejects with `ModeForbids` without: words and pictures stay here, and what is fetched for them
   * is what the mode allows for a query.
   */
  search(options: ({ text: string } | { picture: Blob }) & { k?: number }): Promise<Slate>;
  /** Why a video of the last slate stands where it does. */
  explain(id: string): Promise<Explanation>;
  /** Changes what may leave the browser from the next call on. */
  setMode(mode: Mode): Promise<void>;
  /** The mode, what it promises, and what of noised mode's budget is spent. */
  privacy(): Promise<Privacy>;
  /** Every request since `open`, oldest first. */
  sent(): Promise<Sent[]>;
  /**
   * Deletes all that is kept of the viewer under `database`: the IndexedDB database, with the highest bundle sequence seen
   * (docs/trust.md), and the model's cached files. Another open tab drops what it knows at its next event.
   */
  forget(): Promise<void>;
  /** All stored data, ready for `JSON.stringify`; `watched` lists the clicked videos, newest first. */
  export(): Promise<{ watched: Item[]; [stored: string]: unknown }>;
  /** This browser's arm of an experiment of the bundle, drawn here by a salted hash; `undefined` where it runs none. */
  arm(experiment: string): Promise<string | undefined>;
  /**
   * What was recorded here, as JSON Lines (docs/events.md): impressions with the ranker's inputs as they were when the slate
   * was made, whose time they have; clicks, watches and searches. At most 2,000 impressions and 2,000 others, the newest.
   * It is for the viewer to hand over; nothing sends it.
   */
  log(): Promise<string>;
  /** Sends the counts that wait, where `aggregates` is set and the mode is standard. */
  flush(): Promise<void>;
  /** The shared thumbnail sheets, the same for everybody. */
  sheets(): Promise<Sheet[]>;
  /** Stops the Web Worker. Pending and later calls reject with `Closed`. */
  close(): void;
}
