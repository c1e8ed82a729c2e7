/** Examples of keys, users, signing in and the audit log. */
import type { OperationExamples } from "./OperationExample.ts"

const key = {
  id: "4zk2m8q0xw7c",
  name: "the pricing service",
  scopes: ["predict", "read"],
  models: ["wine"],
  expiresAt: "2036-11-26T00:00:00.000Z",
  rateLimit: { requests: 100, seconds: 60 },
  quota: null,
  createdAt: "2026-11-26T09:02:49.454Z",
  createdBy: "user:ada@example.com",
  lastUsedAt: null,
  previousUntil: null,
  revokedAt: null,
}

const user = {
  id: "0b0ff7a4-34ab-4a8e-8a4a-6c0f8c8d6b1e",
  email: "grace@example.com",
  name: "Grace",
  role: "operator",
  disabled: false,
  sessionEpoch: 0,
  createdAt: "2026-11-26T09:02:49.454Z",
  lastLoginAt: null,
}

const email = user.email
const password = "a moon that nobody sees"

export const accessExamples: OperationExamples = {
  "keys.create": {
    body: {
      name: key.name,
      scopes: key.scopes,
      models: key.models,
      expiresAt: key.expiresAt,
      rateLimit: key.rateLimit,
    },
    answer: { ...key, secret: "mf_4zk2m8q0xw7c_…" },
  },
  "keys.list": { answer: { items: [key], nextCursor: null } },
  "keys.get": { answer: key },
  "keys.rotate": {
    body: { overlapSeconds: 3600 },
    answer: { ...key, previousUntil: "2026-11-26T10:02:49.454Z", secret: "mf_4zk2m8q0xw7c_…" },
  },
  "keys.revoke": {},
  "users.create": { body: { email, name: user.name, role: user.role, password }, answer: user },
  "users.list": { answer: { items: [user], nextCursor: null } },
  "users.get": { answer: user },
  "users.update": { body: { role: "viewer" }, answer: { ...user, role: "viewer", sessionEpoch: 1 } },
  "users.endSessions": {},
  "users.remove": {},
  "auth.login": {
    body: { email, password },
    answer: { user: { id: user.id, email, name: user.name, role: user.role, sessionEpoch: 0 } },
  },
  "auth.me": {
    answer: { kind: "user", id: user.id, name: user.name, scopes: null, role: user.role, models: null },
  },
  "audit.list": {
    answer: {
      items: [
        {
          sequence: 7,
          at: "2026-11-26T09:02:49.454Z",
          actor: "user:ada@example.com",
          action: "key.revoked",
          target: { type: "key", id: key.id },
          from: "192.0.2.7",
          requestId: "c7f6d2b0-8f0e-4a07-9a53-2b8f6b1d4a10",
          reason: null,
          before: { revokedAt: null },
          after: { revokedAt: "2026-11-26T09:02:49.454Z" },
          previousHash: "5f4dcc3b5aa765d61d8327deb882cf992b95990a9151374abd8ff8c5a7a0fe08",
          hash: "1b4f0e9851971998e732078544c96b36c3d01cedf7caa332359d6f1d83567014",
        },
      ],
      nextCursor: null,
    },
  },
  "audit.verify": { answer: { intact: true, entries: 7, sequence: null, detail: null } },
}
