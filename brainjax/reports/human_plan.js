// What follows from a session's seed. brainjax/evaluation/human_plan.py has
// the same in Python, by which files of sessions are checked.

// Mulberry32: the same seed gives the same numbers in 0..1 everywhere.
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

// Fisher and Yates, from the end.
function shuffled(list, random) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

// Every picture is once the right one and once the lure; of two methods the
// lure is the other's reconstruction of the same picture. In a check the right
// one is shown on top as well.
function plan(seed, pictures, judged, checks, methods) {
  const random = generator(seed);
  const ring = shuffled(Array(pictures).keys(), random).slice(0, judged);
  const trials = ring.map((picture, i) => ({kind: 'test', picture,
    lure: methods === 2 ? picture : ring[(i + 1) % judged]}));
  for (let i = 0; i < checks; i++) {
    const [picture, lure] = shuffled(ring, random);
    trials.push({kind: 'check', picture, lure});
  }
  return shuffled(trials, random).map(trial =>
    ({...trial, side: random() < 0.5 ? 'left' : 'right'}));
}

// FNV-1a, 32 bits, of a line in UTF-8, begun with the seal of the line before.
function seal(line, before = 0x811c9dc5) {
  let hash = before;
  for (const byte of new TextEncoder().encode(line)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash;
}
