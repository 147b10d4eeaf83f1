-- One change of one cart, decided and made in one step.
--
-- KEYS[1]: a hash of `carrinho`, the message Carrinho as its clients get it, and `lembradas`, its last request_ids.
-- ARGV: the operation, then
--   criar      the message with nothing but its sessao_id
--   remover    the item's produto_id
--   esvaziar   versao, 0 for any
--   atualizar  the item's produto_id, units, and of the product: ITEM so far, price, stock, flag; no ITEM: refused
--   adicionar  the same, then request_id (16 bytes or none) and what it stands for (8 bytes)
-- Answers with the message, or with {reason, figure...} and a cart left as it was.
--
-- repository/__init__.py puts the names in capitals in front of this text: limits, and the tags of the contract's
-- fields. Items are cut out and put in as bytes; nothing else in the cart is decoded or encoded again.

-- A varint: number to bytes, and the number at a position with the position after it.
local function varint(number)
  local bytes = ''
  while number >= 128 do
    bytes = bytes .. string.char(number % 128 + 128)
    number = math.floor(number / 128)
  end
  return bytes .. string.char(number)
end

local function read(bytes, at)
  local byte, number, weight = string.byte(bytes, at), 0, 1
  while byte >= 128 do
    number, weight, at = number + (byte - 128) * weight, weight * 128, at + 1
    byte = string.byte(bytes, at)
  end
  return number + byte * weight, at + 1
end

-- A field: of a number, empty for 0 as proto3 has it; of bytes.
local function number_field(tag, number)
  return number == 0 and '' or varint(tag) .. varint(number)
end

local function bytes_field(tag, bytes)
  return varint(tag) .. varint(#bytes) .. bytes
end

-- The fields between two positions: tag, number or position of the content, first position, position after.
local function fields(bytes, at, stop)
  return function()
    if at >= stop then return nil end
    local first, tag, value = at, nil, nil
    tag, at = read(bytes, at)
    value, at = read(bytes, at)
    if tag % 8 ~= LENGTH_DELIMITED then return tag, value, first, at end
    at = at + value
    return tag, at - value, first, at
  end
end

local key, operation, product = KEYS[1], ARGV[1], ARGV[2]
local cart, remembered = nil, nil
local items_from, items_to, count, total, version = 0, 0, 0, 0, 0
local from, to = nil, nil  -- where the product's item is, if it is there
local units, subtotal = 0, 0  -- of that item

local function open()
  for tag, value, first, after in fields(cart, 1, #cart + 1) do
    if tag == SESSAO_ID then items_from, items_to = after, after
    elseif tag == ITENS then
      count, items_to = count + 1, after
      if string.sub(cart, value, value + #product - 1) == product then
        from, to = first, after
        for item_tag, number in fields(cart, value, after) do
          if item_tag == QUANTIDADE then units = number
          elseif item_tag == SUBTOTAL_CENTAVOS then subtotal = number end
        end
      end
    elseif tag == TOTAL_CENTAVOS then total = value
    elseif tag == VERSAO then version = value end
  end
end

-- `before`: the message up to and including its items.
local function save(before, sum)
  local now = redis.call('TIME')
  local expiry = now[1] * 1000 + math.floor(now[2] / 1000) + VALIDADE_MS
  local moment = number_field(SECONDS, math.floor(expiry / 1000)) .. number_field(NANOS, expiry % 1000 * 1000000)
  local message = before .. number_field(TOTAL_CENTAVOS, sum) .. number_field(VERSAO, version + 1)
    .. bytes_field(EXPIRA_EM, moment)
  redis.call('HSET', key, 'carrinho', message)
  if remembered then redis.call('HSET', key, 'lembradas', remembered) end
  redis.call('PEXPIREAT', key, expiry)
  return message
end

local function put(new_units)
  local item, price, stock, flag = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7]
  if item == '' then return {'RECUSADO'} end
  if new_units > stock then return {'ESTOQUE_INSUFICIENTE', new_units, stock} end
  if new_units > MAX_UNIDADES then return {'CARRINHO_CHEIO', 'unidades'} end
  if not from and count >= MAX_PRODUTOS then return {'CARRINHO_CHEIO', 'produtos'} end
  local sum = total - subtotal + new_units * price
  if sum > MAX_TOTAL_CENTAVOS then return {'CARRINHO_CHEIO', 'total'} end
  item = item .. number_field(QUANTIDADE, new_units) .. number_field(SUBTOTAL_CENTAVOS, new_units * price) .. flag
  local first, after = from or items_to, to or items_to
  return save(string.sub(cart, 1, first - 1) .. bytes_field(ITENS, item) .. string.sub(cart, after, items_to - 1), sum)
end

-- Whether the request_id was here before: nil, or what it stood for then. Each takes 24 bytes, the newest in front.
local function recall(request_id)
  remembered = redis.call('HGET', key, 'lembradas') or ''
  for at = 1, #remembered, 24 do
    if string.sub(remembered, at, at + 15) == request_id then return string.sub(remembered, at + 16, at + 23) end
  end
  return nil
end

if operation == 'criar' then return save(product, 0) end
cart = redis.call('HGET', key, 'carrinho')
if not cart then return {'CARRINHO_NAO_ENCONTRADO'} end
open()

if operation == 'adicionar' then
  local request_id, meaning = ARGV[8], ARGV[9]
  if request_id ~= '' then
    local before = recall(request_id)
    if before == meaning then return cart end
    if before then return {'CHAVE_REUTILIZADA'} end
    remembered = string.sub(request_id .. meaning .. remembered, 1, 24 * MAX_LEMBRADAS)
  end
  return put(units + ARGV[3])
elseif operation == 'atualizar' then
  if not from then return {'ITEM_NAO_ENCONTRADO'} end
  return put(tonumber(ARGV[3]))
elseif operation == 'remover' then
  if not from then return cart end
  return save(string.sub(cart, 1, from - 1) .. string.sub(cart, to, items_to - 1), total - subtotal)
elseif operation == 'esvaziar' then
  local wanted = tonumber(ARGV[2])
  if wanted ~= 0 and wanted ~= version then return {'VERSAO_DESATUALIZADA', version} end
  return save(string.sub(cart, 1, items_from - 1), 0)
end
return redis.error_reply('ERR unknown operation')
