-- A worker lives. After ring.lua (for the clock).
-- KEYS: workers by when they run out; the last long absence of the store {at = ms of its end, n = workers then, back = one
-- of them came back}, and {hold = until when, held} of those who came back late.
-- ARGV: now or '', worker, ms, the worker whose place it has taken, or ''. Reply: how many live, which of them this is, now
-- in ms, missing, of how many, whether a long absence has ended just now.
-- A worker counts as one for some minutes after it was last heard of: a share of a limit that somebody may still be
-- spending must not be given to others. It is missing once it may be spending its share of each limit, cut off for a minute;
-- and for a window after an absence of the store that long, as what it spent of its share is then known to nobody. If none of
-- the former ones came back there was no absence, but all were stopped. Who comes back late counts for a moment more: until
-- it has told.
local KEPT_MS = 300000
local LONG_MS = 55000
local TOLD_MS = 62000
local SILENT_MS = 55000
local HOLD_MS = 1200
local WORKERS, ABSENCE = KEYS[1], KEYS[2]
local now, ms = clock(ARGV[1]), tonumber(ARGV[3])
local newest = redis.call('ZRANGE', WORKERS, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2]
local away = newest and now - (tonumber(newest) - ms) or 0
if away > LONG_MS then
  -- Nobody is silent while there is nobody to speak to. One ms less, so that who speaks now is told from who does not.
  local former = redis.call('ZRANGE', WORKERS, 0, -1)
  for _, name in ipairs(former) do redis.call('ZINCRBY', WORKERS, away - 1, name) end
  redis.call('DEL', ABSENCE)
  redis.call('HSET', ABSENCE, 'at', now, 'n', #former)
end
local silent_since = now + ms - SILENT_MS
local found = redis.call('HMGET', ABSENCE, 'at', 'n', 'back', 'hold', 'held')
local at, back = tonumber(found[1]), found[3]
if at and now - at >= TOLD_MS then
  redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', '(' .. string.format('%.0f', at + ms))
  redis.call('HDEL', ABSENCE, 'at', 'n', 'back')
  at, back = nil, false
end
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', now - KEPT_MS)
local predecessor = ARGV[4] ~= '' and redis.call('ZSCORE', WORKERS, ARGV[4])
if predecessor and tonumber(predecessor) >= silent_since and not at then redis.call('ZREM', WORKERS, ARGV[4]) end
local before = '(' .. string.format('%.0f', at and at + ms or silent_since)
local silent = redis.call('ZCOUNT', WORKERS, '-inf', before)
redis.call('ZADD', WORKERS, now + ms, ARGV[2])
local missing = redis.call('ZCOUNT', WORKERS, '-inf', before)
if missing < silent then
  if at and not back then
    redis.call('HSET', ABSENCE, 'back', 1)
    back = true
  end
  if not at or now > at + HOLD_MS then
    redis.call('HSET', ABSENCE, 'hold', now + HOLD_MS, 'held', silent)
    found[4], found[5] = now + HOLD_MS, silent
  end
end
if found[4] and now < tonumber(found[4]) then missing = math.max(missing, tonumber(found[5])) end
if at and not back then missing = 0 end
local names = redis.call('ZRANGE', WORKERS, 0, -1)
table.sort(names)
local rank = 0
for position, name in ipairs(names) do
  if name == ARGV[2] then rank = position - 1 end
end
local of = missing == 0 and 1 or at and tonumber(found[2]) or #names
return { #names, rank, now, missing, of, at and now - at < HOLD_MS and 1 or 0 }
