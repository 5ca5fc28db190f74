// Is the caller's key the right one? The time it takes tells nothing about the key.

export async function hasKey(request, header, expected) {
  const given = request.headers.get(header);
  if (!given || !expected) return false;
  const [left, right] = await Promise.all([digest(given), digest(expected)]);
  return crypto.subtle.timingSafeEqual(left, right);
}

// Digests are equally long, which timingSafeEqual asks for.
function digest(text) {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
