-- What the scripts share; it stands in front of each of them that hands messages back.
--
-- A record is what an owner holds: big-endian double (when it was claimed, ms), the list's key with its length in
-- front (2 bytes), then the message's bytes, which nobody here ever reads or changes.
-- P is the prefix of all keys. Invariant: a message leaves one place in the same script in which it enters the next.

local function now_ms()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function record_of(now, key, raw)
    return struct.pack('>dHc0', now, #key, key) .. raw
end

local function key_and_raw(record)
    local _, key, after = struct.unpack('>dHc0', record)
    return key, string.sub(record, after)
end

local function intake_add(P, id, reason, key, raw, counts, owner, now)
    redis.call('ZADD', P .. 'tasks.intake', now, id)
    redis.call('HSET', P .. 'tasks.intake.raw', id, raw)
    redis.call('HSET', P .. 'tasks.intake.facts', id, cjson.encode({
        reason = reason, queue = string.sub(key, #P + 1), owner = owner, at = string.format('%.0f', now),
        delivered = counts[1], started = counts[2], died = counts[3], given_back = counts[4],
    }))
end

-- Counts are kept only for messages that were handed out in vain before, for 14 days after the last time.
local COUNTS_KEPT = 14 * 24 * 3600 * 1000

local function counts_add(P, raw, started, died)
    local counts = P .. 'tasks.counts:' .. redis.sha1hex(raw)
    local result = {
        redis.call('HINCRBY', counts, 'delivered', 1),
        redis.call('HINCRBY', counts, 'started', started and 1 or 0),
        redis.call('HINCRBY', counts, 'died', died and 1 or 0),
        redis.call('HINCRBY', counts, 'given_back', died and 0 or 1),
    }
    redis.call('PEXPIRE', counts, COUNTS_KEPT)
    redis.call('SET', P .. 'tasks.counted', '1', 'PX', COUNTS_KEPT)
    return result
end

local function counts_read(P, raw)
    local found = redis.call('HMGET', P .. 'tasks.counts:' .. redis.sha1hex(raw),
        'delivered', 'started', 'died', 'given_back')
    return { tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or 0), tonumber(found[4] or 0) }
end

-- To the end of its list that is popped next. Where something else is under the list's name, an error here would stop
-- whoever renews, and with it everybody: then it goes to the intake.
local function push_back(P, id, key, raw, owner, now)
    local pushed = redis.pcall('RPUSH', key, raw)
    if type(pushed) == 'table' and pushed.err then
        intake_add(P, id, 'no_list', key, raw, counts_read(P, raw), owner, now)
    end
end

-- Back to its list, or into the intake if it has killed too often.
local function hand_back(P, owner, number, record, started, died, deaths_max, now)
    local key, raw = key_and_raw(record)
    local counts = counts_add(P, raw, started, died)
    if died and deaths_max > 0 and counts[3] >= deaths_max then
        intake_add(P, owner .. ':' .. number, 'died_too_often', key, raw, counts, owner, now)
        redis.call('DEL', P .. 'tasks.counts:' .. redis.sha1hex(raw))
    else
        push_back(P, owner .. ':' .. number, key, raw, owner, now)
    end
end
