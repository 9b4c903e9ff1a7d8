"""Reports as self-contained HTML pages: no script, no font, no picture from elsewhere."""

from enrnn_ref.verify.page.document import page as page
from enrnn_ref.verify.page.document import suite_page as suite_page
