-- Takes an amount from a stock's budget when the connection's own slot does not hold it: what is left in all slots is
-- spread anew. All slots are locked in one order, and after them a redemption locks nothing more.
CREATE FUNCTION level_budget(p_stock_id int, p_slot int, p_amount bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_rest bigint;
  v_slots bigint;
BEGIN
  -- A budget only shrinks, so that a glance without locks is enough to refuse.
  SELECT sum(remaining) - p_amount INTO v_rest FROM budget_slots WHERE stock_id = p_stock_id;
  IF v_rest < 0 THEN RETURN false; END IF;
  PERFORM 1 FROM budget_slots WHERE stock_id = p_stock_id ORDER BY slot FOR UPDATE;
  SELECT sum(remaining) - p_amount, count(*) INTO v_rest, v_slots FROM budget_slots WHERE stock_id = p_stock_id;
  IF v_rest < 0 THEN RETURN false; END IF;
  UPDATE budget_slots SET remaining = v_rest / v_slots + CASE WHEN slot = p_slot THEN v_rest % v_slots ELSE 0 END
  WHERE stock_id = p_stock_id;
  RETURN true;
END $$;

-- A redemption in one round trip and one transaction.
CREATE FUNCTION redeem(
  p_key text, p_body_hash bytea, p_code_hash bytea, p_order_id text, p_amount bigint, p_currency text, p_user_id text,
  p_device_id text, p_ip text, p_at timestamptz, p_minute bigint, p_slot int, p_device_limit int, p_key_id text,
  OUT o_replayed boolean, OUT o_outcome text, OUT o_redemption_id bigint, OUT o_redeemed_at timestamptz,
  OUT o_order_id text, OUT o_coupon_id bigint, OUT o_stock_id int, OUT o_discount bigint
) LANGUAGE plpgsql AS $$
DECLARE
  v_attempts int;
  v_user_limit int;
BEGIN
  o_replayed := false;
  o_outcome := 'redeemed';
  o_redeemed_at := p_at;
  o_order_id := p_order_id;

  -- The answer that nearly all requests get is written at once; whoever comes with the same key waits here until this
  -- transaction has ended.
  INSERT INTO requests (idempotency_key, body_hash, code_hash, at) VALUES (p_key, p_body_hash, p_code_hash, p_at)
  ON CONFLICT (idempotency_key) DO NOTHING RETURNING redemption_id INTO o_redemption_id;
  IF NOT FOUND THEN
    SELECT
      true,
      CASE WHEN r.body_hash <> p_body_hash THEN 'idempotency_key_reused' ELSE coalesce(r.refusal, 'redeemed') END,
      CASE WHEN r.refusal IS NULL THEN r.redemption_id ELSE c.redemption_id END,
      CASE WHEN r.refusal IS NULL THEN r.at ELSE c.redeemed_at END,
      c.order_id, c.coupon_id, c.stock_id, s.discount
    INTO o_replayed, o_outcome, o_redemption_id, o_redeemed_at, o_order_id, o_coupon_id, o_stock_id, o_discount
    FROM requests r LEFT JOIN coupons c ON c.code_hash = r.code_hash LEFT JOIN stocks s ON s.stock_id = c.stock_id
    WHERE r.idempotency_key = p_key;
    RETURN;
  END IF;

  IF p_device_id IS NOT NULL THEN
    INSERT INTO device_windows AS d (device_id, minute, attempts) VALUES (p_device_id, p_minute, 1)
    ON CONFLICT (device_id) DO UPDATE SET
      attempts = CASE WHEN d.minute = p_minute THEN d.attempts + 1 ELSE 1 END,
      minute = p_minute
    RETURNING attempts INTO v_attempts;
    IF v_attempts > p_device_limit THEN
      -- The attempt counts, but its key stays free: the caller may come again with it.
      DELETE FROM requests WHERE idempotency_key = p_key;
      o_outcome := 'device_limited';
      RETURN;
    END IF;
  END IF;

  UPDATE coupons c
  SET state = 'redeemed', redemption_id = o_redemption_id, redeemed_at = p_at, order_id = p_order_id
  FROM stocks s
  WHERE c.code_hash = p_code_hash AND c.state = 'active' AND s.stock_id = c.stock_id
    AND s.currency = p_currency AND s.minimum_spend <= p_amount AND p_at >= s.valid_from AND p_at < s.valid_until
  RETURNING c.coupon_id, c.stock_id, s.discount, s.user_limit
  INTO o_coupon_id, o_stock_id, o_discount, v_user_limit;
  IF NOT FOUND THEN
    o_outcome := NULL;
    SELECT
      CASE
        WHEN c.state = 'redeemed' THEN 'already_redeemed'
        WHEN c.state = 'voided' THEN 'coupon_voided'
        WHEN p_at >= s.valid_until THEN 'coupon_expired'
        WHEN p_at < s.valid_from THEN 'not_yet_valid'
        WHEN s.currency <> p_currency THEN 'currency_mismatch'
        ELSE 'order_below_minimum'
      END,
      c.redemption_id, c.redeemed_at, c.order_id, c.coupon_id, c.stock_id
    INTO o_outcome, o_redemption_id, o_redeemed_at, o_order_id, o_coupon_id, o_stock_id
    FROM coupons c JOIN stocks s ON s.stock_id = c.stock_id WHERE c.code_hash = p_code_hash;
    o_outcome := coalesce(o_outcome, 'coupon_not_found');
    UPDATE requests SET refusal = o_outcome WHERE idempotency_key = p_key;
    RETURN;
  END IF;

  IF p_user_id IS NOT NULL THEN
    INSERT INTO user_usage AS u (stock_id, user_id, used) VALUES (o_stock_id, p_user_id, 1)
    ON CONFLICT (stock_id, user_id) DO UPDATE SET used = u.used + 1 WHERE u.used < v_user_limit;
    IF NOT FOUND THEN o_outcome := 'user_limit_reached'; END IF;
  END IF;

  IF o_outcome = 'redeemed' THEN
    UPDATE budget_slots SET remaining = remaining - o_discount
    WHERE stock_id = o_stock_id AND slot = p_slot AND remaining >= o_discount;
    IF NOT FOUND AND NOT level_budget(o_stock_id, p_slot, o_discount) THEN
      o_outcome := 'budget_exhausted';
      UPDATE user_usage SET used = used - 1 WHERE stock_id = o_stock_id AND user_id = p_user_id;
    END IF;
  END IF;

  IF o_outcome <> 'redeemed' THEN
    -- Rare, so that the usual case needs no savepoint: what was done is taken back by hand.
    UPDATE coupons SET state = 'active', redemption_id = NULL, redeemed_at = NULL, order_id = NULL
    WHERE code_hash = p_code_hash;
    UPDATE requests SET refusal = o_outcome WHERE idempotency_key = p_key;
    RETURN;
  END IF;

  INSERT INTO audit (
    redemption_id, at, coupon_id, amount, discount, stock_id, key_id, idempotency_key, order_id, user_id, device_id, ip
  ) VALUES (
    o_redemption_id, p_at, o_coupon_id, p_amount, o_discount, o_stock_id, p_key_id, p_key, p_order_id, p_user_id,
    p_device_id, p_ip
  );
END $$;
