// GitHub signs a delivery: X-Hub-Signature-256 is "sha256=" and the hexadecimal HMAC-SHA256 of the body.

const SIGNATURE = /^sha256=([0-9a-f]{64})$/i;

export async function isSigned(body, signature, secret) {
  const hex = SIGNATURE.exec(signature ?? "")?.[1];
  if (!hex || !secret) return false;
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  // verify() compares in constant time.
  return crypto.subtle.verify("HMAC", key, Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16)), body);
}
