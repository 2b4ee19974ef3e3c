-- wrk … -- FILE STEM RANGE SEED: POSTs bodies from a file of lines `WEIGHT <tab> AUTHORIZATION or - <tab> BODY`, by
-- chance and weight. Where a body or its key has @@, there comes a number: with RANGE 0 one that was never used before
-- (STEM makes it this run's own), else a random one below RANGE, another at each @@.
local mixture, whole, stem, range, count = {}, 0, nil, 0, 0

local function drawn() return tostring(math.random(0, range - 1)) end

local function made(kind, mark)
  wrk.headers["Authorization"] = (kind.key:gsub("@@", mark))
  return wrk.format("POST", nil, nil, (kind.body:gsub("@@", mark)))
end

function init(args)
  stem, range = args[2], tonumber(args[3])
  math.randomseed(tonumber(args[4]))
  local usual = wrk.headers["Authorization"] or ""
  for line in io.lines(args[1]) do
    local weight, key, body = line:match("^(%d+)\t([^\t]*)\t(.*)$")
    local kind = {key = key == "-" and usual or key, body = body}
    whole = whole + tonumber(weight)
    kind.upto = whole
    if not (kind.key .. body):find("@@", 1, true) then kind.fixed = made(kind, "") end
    mixture[#mixture + 1] = kind
  end
end

local function pick()
  if #mixture == 1 then return mixture[1] end
  local ticket = math.random(1, whole)
  for _, kind in ipairs(mixture) do
    if ticket <= kind.upto then return kind end
  end
end

function request()
  local kind = pick()
  if kind.fixed then return kind.fixed end
  if range > 0 then return made(kind, drawn) end
  count = count + 1
  return made(kind, stem .. "x" .. count)
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration, failed.status, failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
