-- One script for every load: `-- N` after the URL sends N requests in each write, and the result
-- is a line of JSON. The request is formatted once; no Lua runs while requests are made.
function init(args)
  local one, copies = wrk.format, tonumber(args[1])
  wrk.format = function(...) return string.rep(one(...), copies) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"microseconds": %d, "requests": %d, "bytes": %d, "p50_us": %d, "p90_us": %d, '
      .. '"p99_us": %d, "max_us": %d, "errors": {"connect": %d, "read": %d, '
      .. '"write": %d, "timeout": %d, "status": %d}}\n',
    summary.duration, summary.requests, summary.bytes,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
