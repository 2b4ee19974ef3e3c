-- wrk … -- BODY_FILE STEM RANGE: POSTs the file's text. Where it, or the key, has @@, there comes a number: with RANGE 0
-- one that was never used before (STEM makes it this run's own), else a random one below RANGE.
local template, key, stem, range
local count, fixed = 0, nil

function init(args)
  local file = assert(io.open(args[1]))
  template = file:read("*a")
  file:close()
  stem, range = args[2], tonumber(args[3])
  key = wrk.headers["Authorization"]
  if not (template .. key):find("@@", 1, true) then
    fixed = wrk.format("POST", nil, nil, template)
  end
  math.randomseed(tonumber(args[4]))
end

function request()
  if fixed then return fixed end
  local mark
  if range > 0 then
    mark = tostring(math.random(0, range - 1))
  else
    count = count + 1
    mark = stem .. "x" .. count
  end
  wrk.headers["Authorization"] = key:gsub("@@", mark)
  return wrk.format("POST", nil, nil, (template:gsub("@@", mark)))
end

function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration, failed.status, failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
