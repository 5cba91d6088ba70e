-- Counts requests, or bytes, in several sliding windows: in all of them, or in none.
--
-- A window is divided into slots. Its key holds the slots that are not over, as a list of
-- slot numbers and counts, so it never grows. A slot counts until all of it is older than
-- the window: in any period of that length no more than the limit is allowed.
--
-- Some windows count bytes: the size of the request itself, and an assumed size for each
-- further one that is granted.
--
-- KEYS: one key per window. ARGV: the time in microseconds ('' for that of this server);
-- how many requests are wanted; how many of those granted before are returned; the size of
-- the request; the assumed size of further ones; how many bytes are returned. Then for
-- each window: limit, seconds, and its use (0 look, 1 count, 2 count and report, 3 count
-- bytes).
--
-- Returns four numbers: how many requests are granted; the position of the window meant
-- (the one that refuses for the longest time, or of those to report the one with the least
-- left; 0 for none); how many more it allows; and after how many microseconds it allows
-- the next one.

local SLOTS = 10
-- More than one request is granted only if many are left: at most a hundredth of them.
local SHARE = 100

local now, wanted, unspent = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local size, assumed_size = tonumber(ARGV[4]), tonumber(ARGV[5])
local unspent_bytes = tonumber(ARGV[6])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function live_slots(packed, oldest)
  local live, used = {}, 0
  local slots = packed and cmsgpack.unpack(packed) or {}
  for i = 1, #slots, 2 do
    if slots[i] >= oldest then
      live[#live + 1] = slots[i]
      live[#live + 1] = slots[i + 1]
      used = used + slots[i + 1]
    end
  end
  return live, used
end

local function return_to(live, used, back)
  local left = math.min(back, used)
  used = used - left
  for i = #live, 2, -2 do
    local taken = math.min(left, live[i])
    live[i] = live[i] - taken
    left = left - taken
  end
  return used
end

local function wait(live, used, limit, width, cost)
  for i = 1, #live, 2 do
    used = used - live[i + 1]
    if used + cost <= limit then
      return (live[i] + SLOTS + 1) * width - now
    end
  end
  return SLOTS * width -- the request alone is larger than the limit
end

local function add(live, slot, count)
  if live[#live - 1] == slot then
    live[#live] = live[#live] + count
  else
    live[#live + 1] = slot
    live[#live + 1] = count
  end
end

local stored = redis.call('MGET', unpack(KEYS))
local counted = {}
local refusing, longest = 0, 0
local tightest, least_left = 0, 0
local granted = wanted

for i = 1, #KEYS do
  local limit, seconds, use = unpack(ARGV, 3 * i + 4, 3 * i + 6)
  limit = tonumber(limit)
  local width = tonumber(seconds) * 1000000 / SLOTS
  local slot = math.floor(now / width)
  local live, used = live_slots(stored[i], slot - SLOTS)
  local cost, further, back = 1, 1, unspent
  if use == '3' then
    cost, further, back = size, assumed_size, unspent_bytes
  end
  if use ~= '0' then
    used = return_to(live, used, back)
    counted[#counted + 1] = {KEYS[i], live, slot, width, cost, further}
  end
  local available = limit - used
  if available < cost then
    local needed = wait(live, used, limit, width, cost)
    if needed > longest then
      refusing, longest = i, needed
    end
  elseif use ~= '0' then
    granted = math.min(granted, math.max(1, math.floor(available / SHARE / further)))
    if use == '2' and (tightest == 0 or available < least_left) then
      tightest, least_left = i, available
    end
  end
end

if refusing > 0 then
  granted = 0
end
if granted > 0 or unspent > 0 or unspent_bytes > 0 then
  for _, window in ipairs(counted) do
    local key, live, slot, width, cost, further = unpack(window)
    if granted > 0 then
      add(live, slot, cost + (granted - 1) * further)
    end
    local lifetime = math.ceil(width * (SLOTS + 2) / 1000)
    redis.call('SET', key, cmsgpack.pack(live), 'PX', lifetime)
  end
end

if refusing > 0 then
  return {ok = string.format('0 %d 0 %d', refusing, longest)}
end
local left = tightest > 0 and least_left - granted or 0
return {ok = string.format('%d %d %d 0', granted, tightest, left)}
