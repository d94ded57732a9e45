/**
 * What Redis does at one stroke. All keys of a tenant's shard share the hash tag {tenant:shard} and so a slot of a Cluster:
 *
 *   base:g                    hash: the first and the last generation, bytes and start of each; whether it is whole (refill.ts)
 *   base:<generation>:time    sorted set of reach and block id, all of score 0: in the order of time
 *   base:<generation>:keys    sorted set of key, reach and block id: the blocks of a key lie together, in the order of time
 *   base:i:<id>, base:p:<id>  a block's timeMin and index, a block's payload
 *   base:t:<id>, base:a:<id>  its filters, of texts and of attributes
 *
 * A generation is an eighth of the time or of the bytes that the tier may hold. Dropping the oldest takes two sets and its blocks away;
 * a set per key would each need an expiry of its own, and forget nothing while its component lives. Keys beside the blocks, because
 * without them (134 bytes an event instead of some 160) a look-up reads the index of every block of the hour.
 *
 * A block's reach is the class of its time range, 0 to 3: for a moment only as many ids are looked at as may reach back to it.
 *
 * Hex, not bytes: Lua compares by the server's locale, which may take bytes apart and leaves hex digits in order.
 */

const GENERATIONS = 8;

/**
 * KEYS base. ARGV now ms, ttl ms, bytes max, block id, timeMin, bytes, index, payload, reach, ms that this block stays, 1 to drop nothing for
 * it, its keys, 16 hex each and nothing between them: as arguments of their own each took the client longer than its bytes; its filters. Returns 0 when it is not there because there is no room, else 1.
 */
export const PUT = `
local base, now, ttl, bytes_max = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local id, bytes = ARGV[4], tonumber(ARGV[6])
local meta = base .. ':g'
local function get(name) return tonumber(redis.call('HGET', meta, name) or 0) end
local first, last, total = get('first'), get('last'), get('bytes')

local function drop_first()
  local generation = base .. ':' .. first
  for _, member in ipairs(redis.call('ZRANGE', generation .. ':time', 0, -1)) do
    local old = string.sub(member, 2)
    for _, kind in ipairs({':i:', ':p:', ':t:', ':a:'}) do redis.call('UNLINK', base .. kind .. old) end
  end
  redis.call('UNLINK', generation .. ':time', generation .. ':keys')
  total = total - get(first .. ':bytes')
  redis.call('HDEL', meta, first .. ':bytes', first .. ':start')
  first = first + 1
end

while first > 0 and first <= last and get(first .. ':start') + ttl * ${1 + 1 / GENERATIONS} < now do drop_first() end

local known = redis.call('EXISTS', base .. ':i:' .. id) == 1
local fits = bytes <= bytes_max and (ARGV[11] == '0' or total + bytes <= bytes_max)
if fits and not known then
  local own = get(last .. ':bytes')
  if first == 0 or first > last or get(last .. ':start') + ttl / ${GENERATIONS} < now
    or (own > 0 and own + bytes > bytes_max / ${GENERATIONS}) then
    last = last + 1
    if first == 0 then first = last end
    redis.call('HSET', meta, last .. ':start', now)
  end
  local generation = base .. ':' .. last
  redis.call('SET', base .. ':i:' .. id, ARGV[5] .. ARGV[7], 'PX', ARGV[10])
  redis.call('SET', base .. ':p:' .. id, ARGV[8], 'PX', ARGV[10])
  redis.call('SET', base .. ':t:' .. id, ARGV[13], 'PX', ARGV[10])
  redis.call('SET', base .. ':a:' .. id, ARGV[14], 'PX', ARGV[10])
  redis.call('ZADD', generation .. ':time', 0, ARGV[9] .. id)
  local keys = ARGV[12]
  for from = 1, #keys, 16000 do
    local members = {}
    for at = from, math.min(from + 15999, #keys), 16 do
      members[#members + 1] = 0
      members[#members + 1] = string.sub(keys, at, at + 15) .. ARGV[9] .. id
    end
    redis.call('ZADD', generation .. ':keys', unpack(members))
  end
  redis.call('HINCRBY', meta, last .. ':bytes', bytes)
  total = total + bytes
  while total > bytes_max do drop_first() end
  local keep = math.ceil(ttl * ${1 + 1 / GENERATIONS})
  for _, key in ipairs({generation .. ':time', generation .. ':keys', meta}) do redis.call('PEXPIRE', key, keep) end
end
redis.call('HSET', meta, 'first', first, 'last', last, 'bytes', total)
return (fits or known) and 1 or 0
`;

/**
 * KEYS base. ARGV the id below which to begin, the least id, the end as 16 hex or nothing, the most ids, the id above which none of each reach
 * begins before the end (four of them), then keys if asked for.
 * Returns how many ids were found, the last of them, then the id of each that is there and begins before the end. What they hold is asked for
 * by itself: what passes through Lua is copied there and back.
 */
export const FIND = `
local base, below, least, last_time, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local seen, ids = {}, {}
local function take(set, key)
  for reach = 0, 3 do
    local prefix, top = key .. reach, ARGV[5 + reach]
    if below < top then top = below end
    local members = redis.call('ZREVRANGEBYLEX', set, '(' .. prefix .. top, '[' .. prefix .. least, 'LIMIT', 0, limit)
    for _, member in ipairs(members) do
      local id = string.sub(member, #prefix + 1)
      if not seen[id] then
        seen[id] = true
        ids[#ids + 1] = id
      end
    end
  end
end
local first = tonumber(redis.call('HGET', base .. ':g', 'first') or 1)
for generation = first, tonumber(redis.call('HGET', base .. ':g', 'last') or 0) do
  if #ARGV == 8 then take(base .. ':' .. generation .. ':time', '') end
  for i = 9, #ARGV do take(base .. ':' .. generation .. ':keys', ARGV[i]) end
end
table.sort(ids, function(a, b) return a > b end)
local count = math.min(#ids, limit)
local found = {count, ids[count] or ''}
for i = 1, count do
  local start = redis.call('GETRANGE', base .. ':i:' .. ids[i], 0, 15)
  if start ~= '' and (last_time == '' or start <= last_time) then found[#found + 1] = ids[i] end
end
return found
`;
