-- A worker lives. After ring.lua (for the clock).
-- KEYS: workers by when they run out; the last long absence of the store {at = ms of its end, n = workers then}.
-- ARGV: now or '', worker, ms. Reply: how many live, which of them this is, now in ms, missing, of how many.
-- A worker counts as one for some minutes after it was last heard of: a share of a limit that somebody may still be
-- spending must not be given to others. Of a worker that an absence of over a minute has swallowed, what it spent of its
-- share is known to nobody: it is missing for a window after. If none of the former ones came back there was no absence,
-- but all were stopped.
local KEPT_MS = 300000
local LONG_MS = 60000
local TOLD_MS = 62000
local WORKERS, ABSENCE = KEYS[1], KEYS[2]
local now, ms = clock(ARGV[1]), tonumber(ARGV[3])
local newest = redis.call('ZRANGE', WORKERS, '+inf', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 1, 'WITHSCORES')[2]
local away = newest and now - (tonumber(newest) - ms) or 0
if away > LONG_MS then
  -- Nobody is silent while there is nobody to speak to. One ms less, so that who speaks now is told from who does not.
  local former = redis.call('ZRANGE', WORKERS, 0, -1)
  for _, name in ipairs(former) do redis.call('ZINCRBY', WORKERS, away - 1, name) end
  redis.call('HSET', ABSENCE, 'at', now, 'n', #former)
end
redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', now - KEPT_MS)
local known = redis.call('ZSCORE', WORKERS, ARGV[2])
redis.call('ZADD', WORKERS, now + ms, ARGV[2])
local missing, of = 0, 1
local absence = redis.call('HMGET', ABSENCE, 'at', 'n', 'back')
if absence[1] then
  local silent = '(' .. string.format('%.0f', absence[1] + ms)
  if now - absence[1] < TOLD_MS then
    if known and tonumber(known) < absence[1] + ms and not absence[3] then
      redis.call('HSET', ABSENCE, 'back', 1)
      absence[3] = '1'
    end
    if absence[3] then missing, of = redis.call('ZCOUNT', WORKERS, '-inf', silent), tonumber(absence[2]) end
  else
    redis.call('ZREMRANGEBYSCORE', WORKERS, '-inf', silent)
    redis.call('DEL', ABSENCE)
  end
end
local names = redis.call('ZRANGE', WORKERS, 0, -1)
table.sort(names)
for position, name in ipairs(names) do
  if name == ARGV[2] then return { #names, position - 1, now, missing, of } end
end
return { #names, 0, now, missing, of }
