-- Settles by hand a key whose outcome is unknown.
--
-- KEYS[1]  the entry
-- ARGV     owner; result -- where the effect has happened; none of them where it hasn't
-- Answers  1, or 0 where there is nothing to settle: then nothing is changed
--
-- Invariant: a claim whose lease is not over is its holder's alone.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local state, lease_until = unpack(redis.call('HMGET', KEYS[1], 'state', 'lease_until'))
if state ~= 'claimed' or tonumber(lease_until) > now then return 0 end
if ARGV[1] then
  redis.call('HSET', KEYS[1], 'state', 'done', 'owner', ARGV[1], 'result', ARGV[2])
else
  redis.call('HSET', KEYS[1], 'state', 'free')
end
return 1
