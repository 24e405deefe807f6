#include "egress/http2_memory.h"

#include <string.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace writ::egress {
namespace {

/// In front of every block: its size, and the alignment that malloc promises.
struct alignas(std::max_align_t) Head {
  std::size_t size;
};

Head* HeadOf(void* block) { return static_cast<Head*>(block) - 1; }

}  // namespace

void* Http2Memory::Allocate(std::size_t size, void* self) {
  auto& memory = *static_cast<Http2Memory*>(self);
  if (size > memory.left_ || sizeof(Head) > memory.left_ - size) return nullptr;
  auto* const head = static_cast<Head*>(std::malloc(sizeof(Head) + size));
  if (head == nullptr) return nullptr;
  head->size = size;
  memory.left_ -= sizeof(Head) + size;
  return head + 1;
}

void Http2Memory::Release(void* block, void* self) {
  if (block == nullptr) return;
  Head* const head = HeadOf(block);
  static_cast<Http2Memory*>(self)->left_ += sizeof(Head) + head->size;
  ::explicit_bzero(block, head->size);
  std::free(head);
}

void* Http2Memory::AllocateZeroed(std::size_t count, std::size_t size, void* self) {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* const block = Allocate(count * size, self);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* Http2Memory::Resize(void* block, std::size_t size, void* self) {
  void* const made = Allocate(size, self);
  if (made == nullptr || block == nullptr) return made;
  std::memcpy(made, block, std::min(size, HeadOf(block)->size));
  Release(block, self);
  return made;
}

}  // namespace writ::egress
