-- Puts messages on their lists, once, however often the call is repeated within the window.
--
-- KEYS  1 seen, the publisher's own · 2 … the list of each message
-- ARGV  1 number of this call · 2 window (ms) · 3 … the messages
-- Returns 1, or 0 if this call was carried out before.
--
-- One bit a call: SETBIT answers what it was, so the order in which calls arrive doesn't matter.

if redis.call('SETBIT', KEYS[1], ARGV[1], 1) == 1 then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 2, #KEYS do
    redis.call('LPUSH', KEYS[i], ARGV[i + 1])
end
return 1
