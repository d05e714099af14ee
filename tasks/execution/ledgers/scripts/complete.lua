-- Stores the result of a claimed key's effect: it is done.
--
-- KEYS[1]  the entry
-- ARGV     token; result; ttl in ms; call: what tells this call from every other
-- Answers  1, or 0 when the token is stale: then nothing is changed
--
-- Invariants:
-- - Only the holder of the last token may do it, and only once.
-- - The same call, sent again because its answer was lost, gets the same answer.
local state, token, last_call = unpack(redis.call('HMGET', KEYS[1], 'state', 'token', 'call'))
if last_call == ARGV[4] then return 1 end
if state ~= 'claimed' or token ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', 'done', 'result', ARGV[2], 'call', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
