-- Made in one transaction with the codes, so that the codes are loaded without a log and frozen.

CREATE TYPE coupon_state AS ENUM ('active', 'redeemed', 'voided');

CREATE TABLE stocks (
  stock_id int PRIMARY KEY,
  discount bigint NOT NULL,
  minimum_spend bigint NOT NULL,
  currency text NOT NULL,
  valid_from timestamptz NOT NULL,
  valid_until timestamptz NOT NULL,
  user_limit int NOT NULL,
  budget bigint NOT NULL
);

-- One row of a budget would be locked by one redemption until its commit is on the disk, and all others of the stock
-- would wait for it. So the budget lies in 64 slots, of which each connection takes one; reads add them up. They share
-- pages with much room, so that their many versions stay on the page.
CREATE TABLE budget_slots (
  stock_id int NOT NULL,
  slot int NOT NULL,
  remaining bigint NOT NULL CHECK (remaining >= 0),
  PRIMARY KEY (stock_id, slot)
) WITH (fillfactor = 10);

-- Every coupon is updated once: with room for its second version on the same page, no index is touched by that.
CREATE TABLE coupons (
  coupon_id bigint NOT NULL,
  redemption_id bigint,
  redeemed_at timestamptz,
  stock_id int NOT NULL,
  state coupon_state NOT NULL DEFAULT 'active',
  code_hash bytea NOT NULL,
  order_id text
) WITH (fillfactor = 40);

CREATE SEQUENCE redemption_ids CACHE 64;

-- A request under its idempotency key, with what it came to; `refusal` is null where it redeemed.
CREATE TABLE requests (
  redemption_id bigint NOT NULL DEFAULT nextval('redemption_ids'),
  at timestamptz NOT NULL,
  idempotency_key text PRIMARY KEY,
  body_hash bytea NOT NULL,
  code_hash bytea NOT NULL,
  refusal text
);

CREATE TABLE user_usage (
  stock_id int NOT NULL,
  used int NOT NULL,
  user_id text NOT NULL,
  PRIMARY KEY (stock_id, user_id)
) WITH (fillfactor = 70);

-- Attempts in the current minute. They may be lost in a crash, so they are not logged.
CREATE UNLOGGED TABLE device_windows (
  minute bigint NOT NULL,
  attempts int NOT NULL,
  device_id text PRIMARY KEY
) WITH (fillfactor = 70);

CREATE TABLE audit (
  redemption_id bigint NOT NULL,
  at timestamptz NOT NULL,
  coupon_id bigint NOT NULL,
  amount bigint NOT NULL,
  discount bigint NOT NULL,
  stock_id int NOT NULL,
  key_id text NOT NULL,
  idempotency_key text NOT NULL,
  order_id text NOT NULL,
  user_id text,
  device_id text,
  ip text
);

-- The trail is read by time, and written all the time: this index costs the writer next to nothing.
CREATE INDEX audit_at ON audit USING brin (at);
