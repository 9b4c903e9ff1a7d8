/* libcuda.so.1, as a driver that computes nothing: for the host's code of backend "cuda", where no GPU is.
 *
 * The device's memory is the host's, copies copy, and a kernel that is launched does nothing. What is asked of the
 * driver is checked as a driver would, or more strictly:
 *
 *   - a context is current; addresses lie in live memory with all their bytes (no address is given out twice);
 *   - grid, block, parameters, registers (as the compiled kernel has them), static and dynamic shared memory are within the limits
 *     of a GPU of compute capability 9.0 with 132 multiprocessors;
 *     (that blocks which meet are resident at once is left to cuda.core, which asks for the occupancy told here);
 *   - an array that a kernel is given lies in live memory, with all that its shape and strides reach;
 *   - streams, events, libraries and kernels are known and live;
 *   - a copy that the host does not wait for goes to memory that the device may write to. Until it waits, by an event or
 *     for all that is queued, there are ones in all bits, which are NaN.
 *
 * What does not hold is a violation: a line in told(), and the error that a driver would return.
 *
 * What this cannot show: that a kernel computes anything, how fast, or without a race. No kernel runs. That every check
 * is passed does not mean that the backend works on a GPU; it means that the host asks for what a GPU would accept.
 *
 * Upkeep: an entry point that is not in `entries`, at the end, is "not found". Whoever calls it is told its name, by an
 * exception of cuda.bindings: write it here and add it there. Device attributes are the same: an unknown one is a
 * violation with its number. One thread at a time may call.
 */
#define _GNU_SOURCE
#include <cuda.h>
#include <elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum {
    VERSION = 13000,
    MULTIPROCESSORS = 132,
    THREADS_OF_MULTIPROCESSOR = 2048,
    REGISTERS = 65536,
    SHARED_OF_MULTIPROCESSOR = 228 * 1024,
    SHARED_OF_BLOCK = 48 * 1024, /* without asking for more, which the backend does not */
    RESERVED = 1024,             /* of shared memory, in every block */
    BLOCKS_OF_MULTIPROCESSOR = 32,
    THREADS = 1024,
    PARAMETERS = 4096, /* bytes that every toolkit and GPU takes */
};

/* ------------------------------------------------------------------------------------------- what a test may change */

int devices = 1, capability = 9; /* compute capability 9.0 */
static char failing[64];
static long failing_after;
static CUresult failing_code;

/* From now on the calls of a function fail, after so many that do not. */
void fail(const char *name, long after, int code) {
    snprintf(failing, sizeof failing, "%s", name);
    failing_after = after;
    failing_code = code;
}

/* --------------------------------------------------------------------------------------------- what a test is told */

static FILE *notes;
static char *notes_text;
static size_t notes_size;

__attribute__((constructor)) void forget(void) {
    if (notes) fclose(notes);
    free(notes_text);
    notes = open_memstream(&notes_text, &notes_size);
}

/* A line for every call, launch and violation since the last forget(). */
const char *told(void) {
    fflush(notes);
    return notes_text;
}

static CUresult violation(CUresult code, const char *form, ...) {
    va_list arguments;
    va_start(arguments, form);
    fputs("violation ", notes);
    vfprintf(notes, form, arguments);
    fputc('\n', notes);
    va_end(arguments);
    return code;
}

/* -------------------------------------------------------------------------------------------- devices and contexts */

static struct CUctx_st {
    int unused;
} primary;
static bool initialised;
static __thread CUcontext contexts[64];
static __thread int depth;

static CUresult called(const char *function, bool in_context) {
    int length = (int)strcspn(function, "_"); /* without the version of its interface */
    fprintf(notes, "call %.*s\n", length, function);
    if (!initialised) return violation(CUDA_ERROR_NOT_INITIALIZED, "%s before cuInit", function);
    if (in_context && !depth) return violation(CUDA_ERROR_INVALID_CONTEXT, "%s: no context is current", function);
    if (strlen(failing) != (size_t)length || strncmp(failing, function, length)) return CUDA_SUCCESS;
    return failing_after-- > 0 ? CUDA_SUCCESS : failing_code;
}

#define TRY(call)                       \
    do {                                \
        CUresult code_ = (call);        \
        if (code_) return code_;        \
    } while (0)
#define CALLED TRY(called(__func__, false))
#define CALLED_IN_CONTEXT TRY(called(__func__, true))

CUresult cuInit(unsigned flags) {
    initialised = true;
    CALLED;
    return flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
    *version = VERSION;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    CALLED;
    *count = devices;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int number) {
    CALLED;
    *device = number;
    return number < devices ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetName(char *name, int size, CUdevice device) {
    CALLED;
    snprintf(name, size, "No device %d", device);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
    CALLED;
    memset(uuid, device + 1, sizeof *uuid);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    CALLED;
    if (device >= devices) return violation(CUDA_ERROR_INVALID_DEVICE, "device %d", device);
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = capability; break;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = MULTIPROCESSORS; break;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = THREADS; break;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: *value = REGISTERS; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = SHARED_OF_BLOCK; break;
        case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: *value = 1; break;
        default: return violation(CUDA_ERROR_INVALID_VALUE, "device attribute %d is not known", (int)attribute);
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    CALLED;
    *context = &primary;
    return device < devices ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    return device < devices ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    *context = depth ? contexts[depth - 1] : NULL;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device) {
    CALLED_IN_CONTEXT;
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent(CUcontext context) {
    if (context != &primary || depth == 64) return violation(CUDA_ERROR_INVALID_CONTEXT, "%s", __func__);
    contexts[depth++] = context;
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent(CUcontext *context) {
    if (!depth) return violation(CUDA_ERROR_INVALID_CONTEXT, "%s: there is none", __func__);
    *context = contexts[--depth];
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
    if (depth) depth--;
    return context ? cuCtxPushCurrent(context) : CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult code, const char **name) {
#define NAMED(error) \
    case error: *name = #error; return CUDA_SUCCESS
    switch (code) {
        NAMED(CUDA_ERROR_INVALID_VALUE);
        NAMED(CUDA_ERROR_OUT_OF_MEMORY);
        NAMED(CUDA_ERROR_INVALID_CONTEXT);
        NAMED(CUDA_ERROR_INVALID_HANDLE);
        NAMED(CUDA_ERROR_ILLEGAL_ADDRESS);
        NAMED(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
        NAMED(CUDA_ERROR_LAUNCH_FAILED);
        default: return violation(CUDA_ERROR_INVALID_VALUE, "error %d has no name here", (int)code);
    }
}

CUresult cuGetErrorString(CUresult code, const char **text) {
    return cuGetErrorName(code, text);
}

/* ---------------------------------------------------------------------------------------------------------- memory */

typedef struct {
    uintptr_t begin;
    size_t size;
    bool live;
} Allocation;

static const size_t PAGE = 4096, ROOM = 1ull << 36, MEMORY = 141ull << 30;
static uintptr_t room, next; /* addresses, of which each is given out once */
static Allocation *allocations;
static size_t count, used;

static bool on_device(uintptr_t address) {
    return room && room <= address && address < room + ROOM;
}

static Allocation *allocation_of(uintptr_t address) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (allocations[middle].begin <= address) low = middle + 1;
        else high = middle;
    }
    return low ? &allocations[low - 1] : NULL;
}

/* What is wrong with so many bytes from an address on, or NULL. */
static const char *wrong(uintptr_t address, size_t bytes) {
    Allocation *found = allocation_of(address);
    if (!on_device(address)) return "which is not the device's memory";
    if (!found || address > found->begin + found->size) return "which belongs to no array";
    if (!found->live) return "which was freed";
    return bytes > found->begin + found->size - address ? "which is over the end" : NULL;
}

CUresult cuMemAlloc(CUdeviceptr *address, size_t bytes) {
    CALLED_IN_CONTEXT;
    if (!room) {
        void *mapped = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) return violation(CUDA_ERROR_OUT_OF_MEMORY, "there are no addresses to give out");
        room = (uintptr_t)mapped;
        next = room + PAGE;
    }
    size_t taken = (bytes + PAGE - 1) / PAGE * PAGE + PAGE; /* a page between two */
    if (!bytes) return violation(CUDA_ERROR_INVALID_VALUE, "memory of 0 bytes");
    if (taken > room + ROOM - next) return violation(CUDA_ERROR_OUT_OF_MEMORY, "all addresses were given out");
    if (count % 1024 == 0) allocations = realloc(allocations, (count + 1024) * sizeof *allocations);
    allocations[count++] = (Allocation){next, bytes, true};
    *address = next;
    next += taken;
    used += bytes;
    return CUDA_SUCCESS;
}

static void deliver_all(void);

CUresult cuMemFree(CUdeviceptr address) {
    CALLED_IN_CONTEXT;
    Allocation *found = allocation_of(address);
    if (!found || found->begin != address || !found->live)
        return violation(CUDA_ERROR_INVALID_VALUE, "%s of %#llx, which is nobody's", __func__, address);
    deliver_all();
    found->live = false;
    used -= found->size;
    madvise((void *)found->begin, found->size, MADV_DONTNEED);
    return CUDA_SUCCESS;
}

CUresult cuMemGetInfo(size_t *left, size_t *total) {
    CALLED_IN_CONTEXT;
    *left = MEMORY - used;
    *total = MEMORY;
    return CUDA_SUCCESS;
}

static CUresult there(const char *function, CUdeviceptr address, size_t bytes) {
    const char *what = wrong(address, bytes);
    if (!what) return CUDA_SUCCESS;
    return violation(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes from %#llx on, %s", function, bytes, address, what);
}

CUresult cuMemcpyHtoD(CUdeviceptr target, const void *source, size_t bytes) {
    CALLED_IN_CONTEXT;
    TRY(there(__func__, target, bytes));
    deliver_all();
    memcpy((void *)target, source, bytes);
    return CUDA_SUCCESS;
}

/* ------------------------------------------------------------------------------ copies that the host waits for later */

enum { PINNED = 256, PENDING = 1024 };
static struct {
    uintptr_t begin;
    size_t size;
} pinned[PINNED];
static struct {
    void *target;
    const void *source;
    size_t size;
} pending[PENDING]; /* in the order in which they were queued */
static int waiting;
static long delivered, reached, marks; /* copies that are done; events that have come, and all that were recorded */

/* So many copies are done, with all that were queued before. */
static void deliver(long until) {
    int done = 0;
    for (; done < waiting && delivered + done < until; done++)
        memcpy(pending[done].target, pending[done].source, pending[done].size);
    memmove(pending, pending + done, (waiting - done) * sizeof *pending);
    waiting -= done;
    delivered += done;
}

/* The host waits for the device. */
static void deliver_all(void) {
    deliver(delivered + waiting);
    reached = marks;
}

static bool is_pinned(const void *memory, size_t bytes) {
    uintptr_t begin = (uintptr_t)memory;
    for (int i = 0; i < PINNED; i++)
        if (pinned[i].begin && pinned[i].begin <= begin && begin + bytes <= pinned[i].begin + pinned[i].size)
            return true;
    return false;
}

static CUresult known(const char *function, CUstream stream);

static CUresult queue(const char *function, void *target, const void *source, const void *here, size_t bytes,
                      CUstream stream) {
    TRY(there(function, (CUdeviceptr)(here == target ? source : target), bytes));
    TRY(known(function, stream));
    if (!is_pinned(here, bytes)) return violation(CUDA_ERROR_INVALID_VALUE, "%s: %p may move", function, here);
    if (waiting == PENDING) return violation(CUDA_ERROR_OUT_OF_MEMORY, "%s: nobody waits for so many", function);
    pending[waiting].target = target;
    pending[waiting].source = source;
    pending[waiting++].size = bytes;
    return CUDA_SUCCESS;
}

CUresult cuMemcpyDtoHAsync(void *target, CUdeviceptr source, size_t bytes, CUstream stream) {
    CALLED_IN_CONTEXT;
    TRY(queue(__func__, target, (void *)source, target, bytes, stream));
    memset(target, 0xff, bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr target, const void *source, size_t bytes, CUstream stream) {
    CALLED_IN_CONTEXT;
    return queue(__func__, (void *)target, source, source, bytes, stream);
}

CUresult cuMemcpyDtoH(void *target, CUdeviceptr source, size_t bytes) {
    CALLED_IN_CONTEXT;
    TRY(there(__func__, source, bytes));
    deliver_all();
    memcpy(target, (void *)source, bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
    CALLED_IN_CONTEXT;
    for (int i = 0; i < PINNED && bytes; i++)
        if (!pinned[i].begin) {
            *memory = malloc(bytes);
            pinned[i].begin = (uintptr_t)*memory;
            pinned[i].size = bytes;
            return CUDA_SUCCESS;
        }
    return violation(CUDA_ERROR_OUT_OF_MEMORY, "%s of %zu bytes with flags %u", __func__, bytes, flags);
}

CUresult cuMemFreeHost(void *memory) {
    CALLED_IN_CONTEXT;
    deliver_all(); /* as a driver waits for the device here */
    for (int i = 0; i < PINNED && memory; i++)
        if (pinned[i].begin == (uintptr_t)memory) {
            free(memory);
            pinned[i].begin = 0;
            return CUDA_SUCCESS;
        }
    return violation(CUDA_ERROR_INVALID_VALUE, "%s of %p, which is nobody's", __func__, memory);
}

CUresult cuMemcpyDtoD(CUdeviceptr target, CUdeviceptr source, size_t bytes) {
    CALLED_IN_CONTEXT;
    TRY(there(__func__, source, bytes));
    TRY(there(__func__, target, bytes));
    deliver_all();
    memmove((void *)target, (void *)source, bytes);
    return CUDA_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- streams and events */

enum { STREAM = 0x53545231, LIBRARY = 0x4c494231, KERNEL = 0x4b524e31, EVENT = 0x45564e31 }; /* handles begin with these
                                                                                                 while they live */

static struct CUstream_st {
    int kind;
} streams[64];
static int made;

static CUresult known(const char *function, CUstream stream) { /* 0, 1 and 2 are the default streams */
    bool own = streams <= stream && stream < streams + made && stream->kind == STREAM;
    if ((uintptr_t)stream <= 2 || own) return CUDA_SUCCESS;
    return violation(CUDA_ERROR_INVALID_HANDLE, "%s: stream %p is not known", function, (void *)stream);
}

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    CALLED_IN_CONTEXT;
    if (made == 64) return violation(CUDA_ERROR_OUT_OF_MEMORY, "%s with flags %u: no more", __func__, flags);
    *stream = &streams[made++];
    (*stream)->kind = STREAM;
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy(CUstream stream) {
    TRY(known(__func__, stream));
    stream->kind = 0;
    return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
    CALLED_IN_CONTEXT;
    deliver_all();
    return known(__func__, stream);
}

CUresult cuCtxSynchronize(void) {
    CALLED_IN_CONTEXT;
    deliver_all();
    return CUDA_SUCCESS;
}

static struct CUevent_st {
    int kind;
    bool recorded;
    long mark;          /* which of all records: until the host waits for it, or for a later one, it has not come */
    long copies;        /* that are queued before it */
    struct timespec at; /* of the record: nothing that is queued takes any time */
} events[1024];

static CUresult marked(const char *function, CUevent event, bool recorded) {
    bool own = events <= event && event < events + 1024 && event->kind == EVENT;
    if (own && (event->recorded || !recorded)) return CUDA_SUCCESS;
    return violation(CUDA_ERROR_INVALID_HANDLE, "%s: event %p is not %s", function, (void *)event,
                     own ? "recorded" : "known");
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
    CALLED_IN_CONTEXT;
    for (int i = 0; i < 1024; i++)
        if (!events[i].kind) {
            events[i] = (struct CUevent_st){.kind = EVENT};
            *event = &events[i];
            return CUDA_SUCCESS;
        }
    return violation(CUDA_ERROR_OUT_OF_MEMORY, "%s with flags %u: no more", __func__, flags);
}

CUresult cuEventDestroy(CUevent event) {
    TRY(marked(__func__, event, false));
    event->kind = 0;
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
    CALLED_IN_CONTEXT;
    TRY(marked(__func__, event, false));
    TRY(known(__func__, stream));
    event->recorded = true;
    event->mark = ++marks;
    event->copies = delivered + waiting;
    clock_gettime(CLOCK_MONOTONIC, &event->at);
    return CUDA_SUCCESS;
}

CUresult cuEventSynchronize(CUevent event) {
    CALLED_IN_CONTEXT;
    TRY(marked(__func__, event, true));
    if (event->mark > reached) reached = event->mark;
    deliver(event->copies);
    return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent event) {
    CALLED_IN_CONTEXT;
    TRY(marked(__func__, event, false));
    return event->mark <= reached ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY; /* one that was never recorded has come */
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent first, CUevent last) {
    CALLED_IN_CONTEXT;
    TRY(marked(__func__, first, true));
    TRY(marked(__func__, last, true));
    *milliseconds = 1e3f * (float)(last->at.tv_sec - first->at.tv_sec) +
                    1e-6f * (float)(last->at.tv_nsec - first->at.tv_nsec);
    return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
    TRY(known(__func__, stream));
    *context = &primary;
    return CUDA_SUCCESS;
}

/* -------------------------------------------------------------------------------------------------------- libraries */

typedef struct {
    int kind, threads, registers, shared, parameters, sizes[512];
    const char *name;
} Kernel;

typedef struct {
    int kind, count;
    Kernel *kernels[64];
} Library;

static Kernel *kernel_named(Library *library, const char *name) {
    for (int i = 0; i < library->count; i++)
        if (!strcmp(library->kernels[i]->name, name)) return library->kernels[i];
    return NULL;
}

/* What the assembler says of kernels, record by record: a form, an attribute, and a size with so many bytes. */
static void read_attributes(Library *library, Kernel *own, const unsigned char *at, const unsigned char *end,
                            const Elf64_Sym *symbols, const char *names) {
    enum { EVERY_SIZE = 4, MAX_THREADS = 0x05, PARAMETER = 0x17, REGISTER_COUNT = 0x2f };
    while (at + 4 <= end) {
        int form = at[0], attribute = at[1], size = at[2] | at[3] << 8;
        uint32_t word[3] = {0};
        at += 4;
        if (form != EVERY_SIZE) continue;
        memcpy(word, at, size < 12 ? size : 12);
        at += size;
        if (attribute == REGISTER_COUNT) {
            Kernel *kernel = kernel_named(library, names + symbols[word[0]].st_name);
            if (kernel) kernel->registers = word[1];
        } else if (own && attribute == MAX_THREADS) {
            own->threads = word[0] * word[1] * word[2];
        } else if (own && attribute == PARAMETER && (word[1] & 0xffff) < 512) {
            own->sizes[word[1] & 0xffff] = word[2] >> 18;
            own->parameters++;
        }
    }
}

CUresult cuLibraryLoadData(CUlibrary *result, const void *code, CUjit_option *o, void **v, unsigned n,
                           CUlibraryOption *lo, void **lv, unsigned ln) {
    (void)o, (void)v, (void)n, (void)lo, (void)lv, (void)ln;
    CALLED_IN_CONTEXT;
    const unsigned char *image = code;
    const Elf64_Ehdr *header = code;
    if (memcmp(image, ELFMAG, SELFMAG) || header->e_machine != EM_CUDA)
        return violation(CUDA_ERROR_INVALID_VALUE, "%s: no code for a GPU, but %.40s", __func__, (const char *)code);
    const Elf64_Shdr *sections = (const void *)(image + header->e_shoff), *end = sections + header->e_shnum, *s;
    const char *titles = (const char *)image + sections[header->e_shstrndx].sh_offset, *names = NULL;
    const Elf64_Sym *symbols = NULL;
    Library *library = calloc(1, sizeof *library);
    library->kind = LIBRARY;
    for (s = sections; s < end; s++) {
        if (s->sh_type == SHT_SYMTAB) {
            symbols = (const void *)(image + s->sh_offset);
            names = (const char *)image + sections[s->sh_link].sh_offset;
        }
        if (!strncmp(titles + s->sh_name, ".nv.info.", 9) && library->count < 64) {
            Kernel *kernel = library->kernels[library->count++] = calloc(1, sizeof *kernel);
            *kernel = (Kernel){.kind = KERNEL, .threads = THREADS, .name = strdup(titles + s->sh_name + 9)};
        }
    }
    for (s = sections; s < end; s++) {
        const char *title = titles + s->sh_name;
        Kernel *kernel = strncmp(title, ".nv.shared.", 11) ? NULL : kernel_named(library, title + 11);
        if (kernel) kernel->shared = s->sh_size < RESERVED ? s->sh_size : s->sh_size - RESERVED; /* it is counted in */
        if (strncmp(title, ".nv.info", 8)) continue;
        kernel = title[8] ? kernel_named(library, title + 9) : NULL;
        const unsigned char *records = image + s->sh_offset;
        read_attributes(library, kernel, records, records + s->sh_size, symbols, names);
    }
    *result = (CUlibrary)library;
    return CUDA_SUCCESS;
}

CUresult cuLibraryUnload(CUlibrary given) {
    Library *library = (Library *)given;
    if (library->kind != LIBRARY) return violation(CUDA_ERROR_INVALID_HANDLE, "%s: no library", __func__);
    library->kind = 0;
    for (int i = 0; i < library->count; i++) library->kernels[i]->kind = 0;
    return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary given, const char *name) {
    CALLED_IN_CONTEXT;
    Library *library = (Library *)given;
    if (library->kind != LIBRARY) return violation(CUDA_ERROR_INVALID_HANDLE, "%s: no library", __func__);
    *kernel = (CUkernel)kernel_named(library, name);
    return *kernel ? CUDA_SUCCESS : violation(CUDA_ERROR_NOT_FOUND, "%s: no kernel %s", __func__, name);
}

CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel given, CUdevice device) {
    CALLED;
    const Kernel *kernel = (const Kernel *)given;
    if (kernel->kind != KERNEL || device) return violation(CUDA_ERROR_INVALID_HANDLE, "%s: no kernel", __func__);
    switch (attribute) {
        case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = kernel->registers; break;
        case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = kernel->shared; break;
        case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = 0; break;
        case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *value = 0; break;
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = kernel->threads; break;
        default: return violation(CUDA_ERROR_INVALID_VALUE, "kernel attribute %d is not known", (int)attribute);
    }
    return CUDA_SUCCESS;
}

/* --------------------------------------------------------------------------------------------------------- launches */

/* How many blocks a multiprocessor holds at a time. Registers are given to whole warps, of four parts each its own. */
static int resident(const Kernel *kernel, int threads, size_t dynamic) {
    int warps = (threads + 31) / 32, most = THREADS_OF_MULTIPROCESSOR / 32 / warps;
    int registers = (kernel->registers + 7) / 8 * 8;
    int by_registers = 4 * (REGISTERS / 4 / (registers * 32)) / warps;
    int by_shared = SHARED_OF_MULTIPROCESSOR / ((kernel->shared + dynamic + RESERVED + 127) / 128 * 128);
    if (by_registers < most) most = by_registers;
    if (by_shared < most) most = by_shared;
    return most < BLOCKS_OF_MULTIPROCESSOR ? most : BLOCKS_OF_MULTIPROCESSOR;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction kernel, int threads, size_t dynamic) {
    CALLED_IN_CONTEXT;
    *blocks = resident((const Kernel *)kernel, threads, dynamic);
    return CUDA_SUCCESS;
}

/* The bytes that an array reaches, from the parameters about its address: before it 0, 0, the number of its entries and
 * their size; after it the shape and the strides. Its axes are not given: the fewest that agree with all the rest. */
static size_t reach(const Kernel *kernel, void **given, int at) {
    enum { AXES = 8 };
    int64_t word[4 + 2 * AXES + 1] = {0};
    for (int i = 0; i < 4 + 2 * AXES + 1 && at - 4 + i < kernel->parameters; i++)
        if (at - 4 + i >= 0 && kernel->sizes[at - 4 + i] == 8) memcpy(&word[i], given[at - 4 + i], 8);
    int64_t entries = word[2], size = word[3], *shape = word + 5;
    if (at < 4 || word[0] || word[1] || size < 1 || size > 16) return 0;
    for (int axes = 0; axes <= AXES; axes++) {
        int64_t product = 1, last = 0, odd = 0;
        for (int d = 0; d < axes; d++) {
            product *= shape[d];
            last += (shape[d] - 1) * shape[axes + d];
            odd |= shape[axes + d] % size;
        }
        if (product == entries && !odd) return last + size;
    }
    return 0;
}

static CUresult take(const Kernel *kernel, void **given) {
    for (int i = 0; i < kernel->parameters; i++) {
        uint64_t address = 0;
        if (kernel->sizes[i] == 8) memcpy(&address, given[i], 8);
        if (!on_device(address)) continue;
        size_t bytes = reach(kernel, given, i);
        const char *what = bytes ? wrong(address, bytes) : "which is of no array";
        if (what)
            return violation(CUDA_ERROR_ILLEGAL_ADDRESS, "%s: parameter %d, %zu bytes from %#llx on, %s", kernel->name, i,
                             bytes, (unsigned long long)address, what);
    }
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction function, void **parameters, void **extra) {
    CALLED_IN_CONTEXT;
    const Kernel *kernel = (const Kernel *)function;
    if (kernel->kind != KERNEL) return violation(CUDA_ERROR_INVALID_HANDLE, "%s: no kernel", __func__);
    TRY(known(kernel->name, c->hStream));
    bool cooperative = false;
    for (unsigned i = 0; i < c->numAttrs; i++) {
        if (c->attrs[i].id != CU_LAUNCH_ATTRIBUTE_COOPERATIVE)
            return violation(CUDA_ERROR_INVALID_VALUE, "launch attribute %d is not known", (int)c->attrs[i].id);
        cooperative = c->attrs[i].value.cooperative;
    }
    uint64_t blocks = (uint64_t)c->gridDimX * c->gridDimY * c->gridDimZ;
    uint64_t threads = (uint64_t)c->blockDimX * c->blockDimY * c->blockDimZ;
    int shared = kernel->shared + c->sharedMemBytes;
    fprintf(notes, "launch %s %u %u %u %u %d %s\n", kernel->name, c->gridDimX, c->gridDimY, c->gridDimZ,
            (unsigned)threads, shared, cooperative ? "cooperative" : "");
    const char *name = kernel->name;
    if (extra || !kernel->parameters || !kernel->registers)
        return violation(CUDA_ERROR_INVALID_VALUE, "%s: not described in a form that is known here", name);
    if (!blocks || c->gridDimX > INT32_MAX || c->gridDimY > UINT16_MAX || c->gridDimZ > UINT16_MAX)
        return violation(CUDA_ERROR_INVALID_VALUE, "%s: %llu blocks", name, (unsigned long long)blocks);
    if (!threads || threads > THREADS || threads > (uint64_t)kernel->threads || c->blockDimZ > 64)
        return violation(CUDA_ERROR_INVALID_VALUE, "%s: %llu threads", name, (unsigned long long)threads);
    if (shared > SHARED_OF_BLOCK) return violation(CUDA_ERROR_INVALID_VALUE, "%s: %d bytes shared", name, shared);
    if (!resident(kernel, threads, c->sharedMemBytes))
        return violation(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "%s: %d registers of %d threads", name, kernel->registers,
                         (int)threads);
    int bytes = 0;
    for (int i = 0; i < kernel->parameters; i++) bytes += kernel->sizes[i];
    if (bytes > PARAMETERS) return violation(CUDA_ERROR_INVALID_VALUE, "%s: %d bytes of parameters", name, bytes);
    return take(kernel, parameters);
}

/* ------------------------------------------------------------------------------------------- how all that is found */

CUresult cuGetProcAddress(const char *name, void **found, int version, cuuint64_t flags,
                          CUdriverProcAddressQueryResult *status) {
#define ENTRY(function) {#function, (void *)function}
    static const struct {
        const char *name;
        void *function;
    } entries[] = {
        ENTRY(cuCtxGetCurrent), ENTRY(cuCtxGetDevice), ENTRY(cuCtxPopCurrent), ENTRY(cuCtxPushCurrent),
        ENTRY(cuCtxSetCurrent), ENTRY(cuCtxSynchronize), ENTRY(cuEventCreate), ENTRY(cuEventDestroy),
        ENTRY(cuEventElapsedTime), ENTRY(cuEventQuery), ENTRY(cuEventRecord), ENTRY(cuEventSynchronize), ENTRY(cuDeviceGet), ENTRY(cuDeviceGetAttribute), ENTRY(cuDeviceGetCount),
        ENTRY(cuDeviceGetName), ENTRY(cuDeviceGetUuid), ENTRY(cuDevicePrimaryCtxRelease),
        ENTRY(cuDevicePrimaryCtxRetain), ENTRY(cuDriverGetVersion), ENTRY(cuGetErrorName), ENTRY(cuGetErrorString),
        ENTRY(cuGetProcAddress), ENTRY(cuInit), ENTRY(cuKernelGetAttribute), ENTRY(cuLaunchKernelEx),
        ENTRY(cuLibraryGetKernel), ENTRY(cuLibraryLoadData), ENTRY(cuLibraryUnload), ENTRY(cuMemAlloc),
        ENTRY(cuMemFree), ENTRY(cuMemGetInfo), ENTRY(cuMemcpyDtoD), ENTRY(cuMemcpyDtoH),
        ENTRY(cuMemcpyDtoHAsync), ENTRY(cuMemcpyHtoD), ENTRY(cuMemcpyHtoDAsync), ENTRY(cuMemHostAlloc), ENTRY(cuMemFreeHost),
        ENTRY(cuOccupancyMaxActiveBlocksPerMultiprocessor), ENTRY(cuStreamCreate), ENTRY(cuStreamDestroy),
        ENTRY(cuStreamGetCtx), ENTRY(cuStreamSynchronize),
    };
    (void)flags;
    *found = NULL;
    for (size_t i = 0; i < sizeof entries / sizeof *entries && version <= VERSION; i++)
        if (!strcmp(entries[i].name, name)) *found = entries[i].function;
    if (status) *status = *found ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    return *found || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
