-- A redemption in one round trip. A script runs alone, so that whatever it read still holds when it writes; what it
-- wrote goes to the append-only file as one transaction.
--
-- KEYS: the request under its idempotency key, the coupon, the device in this minute or an empty key.
-- Others follow from what is stored: this is for one Redis, not for a cluster.
local request, coupon, device = KEYS[1], KEYS[2], KEYS[3]
local idempotency_key, body_hash, key_id, at, order_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local amount, currency, user_id, device_id, ip = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local device_limit = tonumber(ARGV[11])
local DAYS_7 = 604800000

-- Lua's false stands for what is absent; an answer needs something that is there.
local function answer(replayed, outcome, redemption_id, redeemed_at, by_order, coupon_id, stock_id, discount)
  return {replayed, outcome, redemption_id or 0, redeemed_at or 0, by_order or '', coupon_id or 0, stock_id or 0,
    discount or 0}
end

local found = redis.call('HMGET', coupon, 'state', 'coupon_id', 'stock_id', 'redemption_id', 'redeemed_at', 'order_id')
local state, coupon_id, stock_id = found[1], found[2], found[3]
local stock = 'stock:' .. (stock_id or '')
local terms = {}
if stock_id then
  terms = redis.call('HMGET', stock, 'discount', 'minimum_spend', 'currency', 'valid_from', 'valid_until', 'user_limit',
    'budget_left')
end
local discount = tonumber(terms[1] or 0)

local earlier = redis.call('GET', request)
if earlier then
  local it = cmsgpack.unpack(earlier)
  if it[1] ~= body_hash then return answer(1, 'idempotency_key_reused') end
  if it[2] == 'redeemed' then return answer(1, it[2], it[3], it[4], order_id, coupon_id, stock_id, discount) end
  return answer(1, it[2], found[4], found[5], found[6], coupon_id, stock_id)
end

if device_id ~= '' then
  local attempts = redis.call('INCR', device)
  if attempts == 1 then redis.call('EXPIRE', device, 120) end
  -- The attempt counts, but its key stays free: the caller may come again with it.
  if attempts > device_limit then return answer(0, 'device_limited') end
end

local user = 'user:' .. (stock_id or '') .. ':' .. user_id
local refusal
if not state then
  refusal = 'coupon_not_found'
elseif state == 'redeemed' then
  refusal = 'already_redeemed'
elseif state == 'voided' then
  refusal = 'coupon_voided'
elseif tonumber(at) >= tonumber(terms[5]) then
  refusal = 'coupon_expired'
elseif tonumber(at) < tonumber(terms[4]) then
  refusal = 'not_yet_valid'
elseif currency ~= terms[3] then
  refusal = 'currency_mismatch'
elseif amount < tonumber(terms[2]) then
  refusal = 'order_below_minimum'
elseif user_id ~= '' and tonumber(redis.call('GET', user) or 0) >= tonumber(terms[6]) then
  refusal = 'user_limit_reached'
elseif tonumber(terms[7]) < discount then
  refusal = 'budget_exhausted'
end
if refusal then
  redis.call('SET', request, cmsgpack.pack({body_hash, refusal}), 'PX', DAYS_7)
  return answer(0, refusal, found[4], found[5], found[6], coupon_id, stock_id)
end

local redemption_id = redis.call('INCR', 'redemption_ids')
redis.call('HSET', coupon, 'state', 'redeemed', 'redemption_id', redemption_id, 'redeemed_at', at, 'order_id', order_id)
redis.call('HINCRBY', stock, 'budget_left', -discount)
if user_id ~= '' then redis.call('INCR', user) end
redis.call('XADD', 'audit', '*', 'redemption_id', redemption_id, 'at', at, 'coupon_id', coupon_id, 'stock_id', stock_id,
  'amount', amount, 'discount', discount, 'key_id', key_id, 'idempotency_key', idempotency_key, 'order_id', order_id,
  'user_id', user_id, 'device_id', device_id, 'ip', ip)
redis.call('SET', request, cmsgpack.pack({body_hash, 'redeemed', redemption_id, at}), 'PX', DAYS_7)
return answer(0, 'redeemed', redemption_id, at, order_id, coupon_id, stock_id, discount)
