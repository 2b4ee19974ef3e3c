-- A holder's statement, answered with a grant. After ring.lua and holds.lua. Nothing is granted beyond a limit: what
-- was spent in the window, what all holders hold and what is granted now never add up to more.
-- ARGV: 1 now or '', 2 holder, 3 number of the statement, 4 where its period began (-1: a sliding minute), 5 lease ms, 6 channel for calls
-- back, 7 subject, 8 run id of the server as the worker has known it for a while or '', 9 holders to expect, 10 ms the keys live or 0,
-- 11 whether the holder leaves, 12-14 limits (-1 = none), 15-17 released, 18-20 idle, 21-23 least needed,
-- 24-26 needed by all who wait, 27-29 wanted at most, 30 whether what is held is told again (1: since it was lost, 2: since shares were spent), 31-33 held then,
-- 34 what the ledger has of the period (-1: not asked), 35 whether nobody is taken for dead: the store itself was away,
-- from 36 on: bucket, requests, tokens of each second in which
-- something was spent
-- Reply: outcome (0 told, 1 lost, 2 wait, 3 spent, 4 unseeded), granted r, t, c, used r, t, c, short of (0 none, 1 requests, 2 concurrency,
-- 3 tokens), wait ms (-1: it never ages), whether idle amounts are called back, now in ms, number of the holder's last statement here if lost
local arg = {}
for position = 1, #ARGV do arg[position] = tonumber(ARGV[position]) end
local now = clock(ARGV[1])
local holder, number, ages = ARGV[2], arg[3], arg[4] < 0
local bucket = math.floor(now / 1000)
if not ages then
  -- A period is one bucket, named by its first second. The next one begins with what the ledger has of it; whoever is
  -- late tells the running one, and what was spent in a former one changes nothing.
  bucket = math.max(arg[4], tonumber(redis.call('HGET', TOKENS, 'h')) or -1)
  if redis.call('HGET', TOKENS, 'h') ~= tostring(bucket) then
    if arg[34] < 0 then return { 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, now, 0 } end
    redis.call('DEL', TOKENS)
    redis.call('HSET', TOKENS, 'h', bucket, 's', arg[34], bucket % COUNTED, arg[34])
  end
end

local heads = {}
heads.r, heads.ring_r = ring_turn(REQUESTS, bucket)
heads.t, heads.ring_t = ring_turn(TOKENS, bucket)
local sum = sums()
if arg[35] == 0 then expire(sum, heads, now) end
local known = record_of(holder) or revive(holder, sum, heads)

local function remember()
  redis.call('HSET', HOLDS, '=r', sum.r, '=t', sum.t, '=c', sum.c, '=ir', sum.i[1], '=it', sum.i[2], '=ic', sum.i[3])
  if known then
    redis.call('HSET', HOLDS, holder, cmsgpack.pack(known))
    redis.call('ZADD', EXPIRIES, now + arg[5], holder)
  end
end

-- Another process than the one that granted last may lack its last second, and one that knows nothing of a subject may
-- have forgotten it: others may have got what is missing, and tell it again. Who knows this process for a while says so.
local waiting = arg[24] + arg[25] + arg[26] > 0
if waiting then
  local run, granted_by = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), redis.call('HGET', HOLDS, 'u')
  if granted_by ~= run then
    local told = run == ARGV[8] or not granted_by and ARGV[8] == ''
    if not told then redis.call('HSET', HOLDS, 'q', now + QUIET_MS) end
    redis.call('HSET', HOLDS, 'u', run)
  end
end
-- Said again: answered as before, but with the present time, by which the holder sets its clock. Or, from before the
-- store hung, late: then nobody listens any more.
if known and known.n >= number then
  remember()
  known.reply[11] = now
  return known.reply
end
-- Nothing is known, or something older: a store that was restarted may lack what it had not yet written.
local last = known and known.n or 0
if last < number - 1 and arg[30] ~= 1 then
  redis.call('HSET', HOLDS, 'q', now + QUIET_MS)
  remember()
  return { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, now, last }
end
known = known or { r = 0, t = 0, c = 0, i = { 0, 0, 0 } }
if arg[30] > 0 then
  sum.r, sum.t, sum.c = sum.r + arg[31] - known.r, sum.t + arg[32] - known.t, sum.c + arg[33] - known.c
  known.r, known.t, known.c = arg[31], arg[32], arg[33]
  redis.call('HSET', HOLDS, 'q', now + QUIET_MS)
end

for position = 36, #ARGV, 3 do
  local spent_r, spent_t = arg[position + 1], arg[position + 2]
  local at = math.min(arg[position], bucket)
  if ring_counts(heads.r, at) then
    ring_add(REQUESTS, heads.r, at, spent_r)
    heads.ring_r = heads.ring_r + spent_r
  end
  if ring_counts(heads.t, at) then
    ring_add(TOKENS, heads.t, at, spent_t)
    heads.ring_t = heads.ring_t + spent_t
  end
end

local names = { 'r', 't', 'c' }
local idle = {}
for position, name in ipairs(names) do
  local released = math.min(arg[14 + position], known[name])
  known[name], sum[name] = known[name] - released, sum[name] - released
  idle[position] = arg[17 + position]
  sum.i[position] = sum.i[position] - known.i[position] + idle[position]
end

local ring = { heads.ring_r, heads.ring_t, 0 }
local called = tonumber(redis.call('HGET', HOLDS, 'w')) or 0
local quiet = tonumber(redis.call('HGET', HOLDS, 'q')) or 0
local granted, short, wait, outcome = { 0, 0, 0 }, 0, 0, 0
local recent = now - called < 1000

local function refuse(position)
  short = position == 1 and 1 or position == 3 and 2 or 3
  local least, limit = arg[20 + position], arg[11 + position]
  if ring[position] + least > limit then
    local key, head = position == 1 and REQUESTS or TOKENS, position == 1 and heads.r or heads.t
    wait = 1000
    if position < 3 then
      if outcome == 0 then outcome = 3 end
      wait = not ages and -1 or least > limit and WINDOW_MS or ring_wait(key, head, ring[position] + least - limit, now)
    end
    return
  end
  wait = 1000
  if not recent then
    called, recent = now, true
    redis.call('HSET', HOLDS, 'w', now)
    redis.call('PUBLISH', ARGV[6], ARGV[7])
  end
  if silent_holders(holder, called) then outcome = 2 end
end

if waiting and quiet > now then
  outcome, wait = 2, quiet - now
else
  local order = { 1, 3, 2 }
  for _, position in ipairs(order) do
    local name, limit = names[position], arg[11 + position]
    local needed, wanted = arg[23 + position], arg[26 + position]
    local free = limit < 0 and wanted or limit - ring[position] - sum[name]
    local grant = math.max(0, math.min(needed, free))
    if needed > 0 and grant < arg[20 + position] then
      grant = 0
      if short == 0 then refuse(position) end
    elseif not recent and limit >= 0 then
      local spare = math.floor((free - grant) / (2 * arg[9])) - idle[position]
      grant = grant + math.max(0, math.min(wanted - grant, spare))
    end
    granted[position] = grant
    known[name], sum[name] = known[name] + grant, sum[name] + grant
    local kept = math.max(0, grant - needed)
    idle[position], sum.i[position] = idle[position] + kept, sum.i[position] + kept
  end
end

local used = {}
for position, name in ipairs(names) do used[position] = ring[position] + sum[name] - sum.i[position] end
local reply = { outcome, granted[1], granted[2], granted[3], used[1], used[2], used[3], short, wait, recent and 1 or 0, now, 0 }
if arg[11] == 1 then
  known = nil
  remember()
  redis.call('HDEL', HOLDS, holder)
  redis.call('ZREM', EXPIRIES, holder)
  if redis.call('ZCARD', EXPIRIES) == 0 then redis.call('DEL', HOLDS) end
else
  known.n, known.i, known.at, known.reply = number, idle, now, reply
  remember()
end
if arg[10] > 0 then
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, arg[10]) end
end
return reply
