-- Claims an idempotency key, or says why not.
--
-- KEYS[1]  the entry, a hash: fingerprint, state (claimed | done | free), token, owner, lease_until, unknown, call,
--          result
-- ARGV     fingerprint; owner; lease in ms; ttl in ms; call: what tells this call from every other
-- Answers  {"claim", token, "0" | "1" (outcome unknown)}, {"done", owner, result}, {"busy", owner, ms left}
--          or {"conflict"}
--
-- Invariants:
-- - Time is this server's, in microseconds. Numbers travel as text: a Lua number loses their last digits on its way.
-- - A token is larger than every earlier one of its key, even where the entry has expired in between.
-- - An entry expires only after its lease.
-- - The same call, sent again because its answer was lost, gets the same answer.
local fingerprint, owner, lease, ttl, call = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local found = redis.call('HMGET', KEYS[1], 'fingerprint', 'state', 'token', 'owner', 'lease_until', 'result',
  'call', 'unknown')
local stored, state, token, holder, lease_until, result, last_call, was_unknown = unpack(found)

local unknown = '0'
if state and state ~= 'free' then
  if stored ~= fingerprint then return {'conflict'} end
  if state == 'done' then return {'done', holder, result} end
  if last_call == call then return {'claim', token, was_unknown} end
  local left = tonumber(lease_until) - now
  if left > 0 then return {'busy', holder, string.format('%.0f', math.ceil(left / 1000))} end
  unknown = '1'
end

token = string.format('%.0f', math.max(now, (tonumber(token) or 0) + 1))
redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'state', 'claimed', 'token', token, 'owner', owner,
  'lease_until', string.format('%.0f', now + lease * 1000), 'call', call, 'unknown', unknown)
redis.call('HDEL', KEYS[1], 'result')
redis.call('PEXPIRE', KEYS[1], lease + ttl)
return {'claim', token, unknown}
