from .build import (
    TEMPLATE as TEMPLATE,
    Build as Build,
    assemble as assemble,
    build_kernel as build_kernel,
    write_build as write_build,
)
from .check import Check as Check, check_kernel as check_kernel
from .imported import modules_needed as modules_needed
from .metadata import (
    CODE_FILE as CODE_FILE,
    CODE_FILES as CODE_FILES,
    METADATA_FILE as METADATA_FILE,
    KernelMetadata as KernelMetadata,
    Ours as Ours,
    check_collisions as check_collisions,
    check_source_size as check_source_size,
    kernel_slug as kernel_slug,
    kernel_title as kernel_title,
    render_metadata as render_metadata,
    with_owner as with_owner,
)
from .needs import needed_slugs as needed_slugs
from .work import (
    Source as Source,
    digest_of_work as digest_of_work,
    is_of_content as is_of_content,
    work_to_do as work_to_do,
)
