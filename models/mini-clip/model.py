"""The two towers: a plain CLIP vision transformer and a plain CLIP text transformer.

Parameter names are those of OpenAI's CLIP state dict, so tools that read one read the other.
"""

import dataclasses

import torch
from torch import nn
from torch.nn import functional as F

# CLIP's own input normalisation, RGB in [0, 1].
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclasses.dataclass(frozen=True)
class Config:
    """Shapes of both towers."""

    dim: int = 128
    image_size: int = 64
    patch: int = 8
    image_width: int = 128
    image_layers: int = 4
    image_heads: int = 4
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    context: int = 32

    @property
    def patches(self) -> int:
        return (self.image_size // self.patch) ** 2


class Attention(nn.Module):
    """Multi-head self-attention, one fused input projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """x: [N, L, width]; mask: [L, L], added to the scores."""
        n, length, width = x.shape
        depth = width // self.heads
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        qkv = qkv.view(n, length, 3, self.heads, depth).permute(2, 0, 3, 1, 4)
        # bmm beats scaled_dot_product_attention on a CPU at these lengths (measured: 1.3x).
        q, k, v = (part.reshape(n * self.heads, length, depth) for part in qkv)
        scores = torch.bmm(q * depth**-0.5, k.transpose(1, 2))
        if mask is not None:
            scores = scores + mask
        mixed = torch.bmm(scores.softmax(-1), v).view(n, self.heads, length, depth)
        return self.out_proj(mixed.transpose(1, 2).reshape(n, length, width))


class Mlp(nn.Module):
    """Width -> 4 x width -> width with quick_gelu."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.c_fc(x)
        return self.c_proj(x * torch.sigmoid(1.702 * x))


class Block(nn.Module):
    """Pre-norm residual block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        for block in self.resblocks:
            scale = width**-0.5
            nn.init.normal_(block.attn.in_proj_weight, std=scale)
            nn.init.normal_(block.attn.out_proj.weight, std=scale * (2 * layers) ** -0.5)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=scale * (2 * layers) ** -0.5)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        for block in self.resblocks:
            x = block(x, mask)
        return x


class Vision(nn.Module):
    """[N, 3, 64, 64] normalised pixels -> [N, dim]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.image_width
        self.conv1 = nn.Conv2d(3, width, config.patch, config.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positional_embedding = nn.Parameter(torch.randn(config.patches + 1, width) * width**-0.5)
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.image_layers, config.image_heads)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.randn(width, config.dim) * width**-0.5)

    def forward(self, pixels: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        """keep: [N, K] patch numbers that training looks at; all of them when absent."""
        x = self.conv1(pixels).flatten(2).transpose(1, 2)
        x = x + self.positional_embedding[1:]
        if keep is not None:
            x = x.gather(1, keep[:, :, None].expand(-1, -1, x.shape[2]))
        first = (self.class_embedding + self.positional_embedding[0]).expand(len(x), 1, -1)
        x = self.ln_pre(torch.cat([first, x], 1))
        x = self.transformer(x)
        return self.ln_post(x[:, 0]) @ self.proj


class MiniClip(nn.Module):
    """Both towers; token ids are rows of the model's own table."""

    def __init__(self, config: Config, rows: int) -> None:
        super().__init__()
        self.config = config
        width = config.text_width
        self.visual = Vision(config)
        self.token_embedding = nn.Embedding(rows, width)
        self.positional_embedding = nn.Parameter(torch.randn(config.context, width) * 0.01)
        self.transformer = Transformer(width, config.text_layers, config.text_heads)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, config.dim) * width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(1 / 0.07).log())
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_image(self, pixels: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        return self.visual(pixels, keep)

    def encode_text(self, rows: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """rows: [N, L] table rows, padded with anything; last: [N] position of the end token."""
        length = rows.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.token_embedding(rows) + self.positional_embedding[:length]
        x = self.ln_final(self.transformer(x, mask))
        return x[torch.arange(len(x)), last] @ self.text_projection
