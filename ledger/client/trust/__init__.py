"""Why a client believes what a ledger says of itself: step by step, and nothing else.

`Verification` is what both clients ask with, `TrustStore` what they remember, `results` what they
hand out. A checkpoint, alone or under a proof, passes these steps in this order:

1. Its note states what the answer states, and is of the ledger that was asked.
2. The keys trusted before it are those remembered; the policy's `log` lines pin them. With neither
   (first use) it is the key that the answer names, at the ledger's own word.
3. A trusted key that counts at its size has signed it. Where the signers are other than expected,
   the ledger is asked which keys followed, and each is believed as far as it is proven:
   3.1 the events about keys are hashed here, from what they say;
   3.2 the ledger shows the event that named the newest trusted key;
   3.3 the event directly behind that one holds the digest of the new key's text (in ledgers of the
       first release: the first commitment, behind an event at position 2 without a digest);
   3.4 these events and the rotation are proven to be in a tree that a trusted key has signed, and
       that tree to be the beginning of the one at hand, or the one at hand;
   3.5 where the old key was revoked and signs no more, it is enough that the commitment is in a
       tree that it signed below the revocation, and rotation and revocation in the one at hand;
   3.6 every revocation of a trusted key in the tree at hand counts from then on.
4. One that is stated to be the newest is no smaller than what was verified before it was asked for.
5. It and the one remembered are the same, or a consistency proof joins them.
6. It is remembered if it is the larger. If another thread or process has remembered something in
   between, all begins again at 2.
7. With a policy, it has the quorum of its witnesses; the newest is awaited as long as the deadline.

And what was asked for under it:

8. The checkpoint is of the size asked for.
9. A proof is of the position asked for, and leads from the event's hash (the expected one, if it is
   known) to the checkpoint's root.
10. A tree that the caller has kept is the beginning of the checkpoint's.

A failed check is kept as evidence and raised, and nothing of it is remembered. So a key that was
retired before the trusted one came does not come back, and no thief of a key can replace the
commitment that was made with it.
"""
