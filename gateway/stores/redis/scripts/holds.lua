-- What workers hold of a subject's limits. After ring.lua.
-- Hash: one packed record a holder {n = number of its last statement, r, t, c = held, i = {idle r, t, c}, at = ms, reply};
-- '!' and a holder: what one that ran out held, and the bucket that was charged for it; '=r' … '=c', '=ir' … '=ic': sums;
-- 'w': when idle amounts were last called back (ms); 'q': until when nothing is granted, since others may know more;
-- 'u': run id of the server that granted last.
-- Sorted set: holders by when they run out.
-- Neither these keys nor rings of tenants expire: a store under memory pressure evicts keys with an expiry only, which
-- are the cache's; an evicted counter would admit too much without a word.
local PRUNED = 32
local TOMBSTONE_MS = 600000
local QUIET_MS = 800

local REQUESTS, TOKENS, HOLDS, EXPIRIES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function sums()
  local found = redis.call('HMGET', HOLDS, '=r', '=t', '=c', '=ir', '=it', '=ic')
  local numbers = {}
  for position = 1, 6 do numbers[position] = tonumber(found[position]) or 0 end
  return { r = numbers[1], t = numbers[2], c = numbers[3], i = { numbers[4], numbers[5], numbers[6] } }
end

local function record_of(name)
  local packed = redis.call('HGET', HOLDS, name)
  return packed and cmsgpack.unpack(packed)
end

-- A holder that ran out may have used all it held: that is charged now, so that nobody else gets it for a window. Its
-- slots are free. When it comes back after all, `revive` undoes this.
local function expire(sum, heads, now)
  local gone = redis.call('ZRANGE', EXPIRIES, '-inf', now, 'BYSCORE', 'LIMIT', 0, PRUNED)
  for _, name in ipairs(gone) do
    redis.call('ZREM', EXPIRIES, name)
    local held = record_of(name)
    redis.call('HDEL', HOLDS, name)
    if held and string.sub(name, 1, 1) ~= '!' then
      sum.r, sum.t, sum.c = sum.r - held.r, sum.t - held.t, sum.c - held.c
      for position = 1, 3 do sum.i[position] = sum.i[position] - held.i[position] end
      ring_add(REQUESTS, heads.r, heads.r, held.r)
      ring_add(TOKENS, heads.t, heads.t, held.t)
      heads.ring_r, heads.ring_t = heads.ring_r + held.r, heads.ring_t + held.t
      held.br, held.bt = heads.r, heads.t
      redis.call('HSET', HOLDS, '!' .. name, cmsgpack.pack(held))
      redis.call('ZADD', EXPIRIES, now + TOMBSTONE_MS, '!' .. name)
    end
  end
end

local function give_back(key, head, bucket, amount)
  if amount <= 0 or not ring_counts(head, bucket) then return 0 end
  local back = math.min(amount, tonumber(redis.call('HGET', key, bucket % COUNTED) or 0))
  ring_add(key, head, bucket, -back)
  return back
end

local function revive(name, sum, heads)
  local held = record_of('!' .. name)
  if not held then return nil end
  redis.call('HDEL', HOLDS, '!' .. name)
  redis.call('ZREM', EXPIRIES, '!' .. name)
  heads.ring_r = heads.ring_r - give_back(REQUESTS, heads.r, held.br, held.r)
  heads.ring_t = heads.ring_t - give_back(TOKENS, heads.t, held.bt, held.t)
  sum.r, sum.t, sum.c = sum.r + held.r, sum.t + held.t, sum.c + held.c
  for position = 1, 3 do sum.i[position] = sum.i[position] + held.i[position] end
  return held
end

-- Whether somebody may still give idle amounts back: it said that it has some, or it has not spoken since they were
-- called back. A statement that was on its way then counts as spoken, but says what is idle.
local function silent_holders(own, since)
  local names = redis.call('ZRANGE', EXPIRIES, 0, -1)
  for _, name in ipairs(names) do
    if name ~= own and string.sub(name, 1, 1) ~= '!' then
      local held = record_of(name)
      local idle = held and held.i[1] + held.i[2] + held.i[3] or 0
      local before = held and (held.at <= since or idle > 0)
      if before and (held.r > 0 or held.t > 0 or held.c > 0) then return true end
    end
  end
  return false
end
